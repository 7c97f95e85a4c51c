"""How a point lies in a row of Parquet."""

import json
from collections.abc import Iterator, Mapping, Sequence
from io import RawIOBase
from typing import Any, BinaryIO

import numpy as np
import pyarrow
import pyarrow.parquet

from sightline.index import StoredPoint
from sightline.payload import Payload
from sightline_embedder.parquet import batches_after, cells_of, open_parquet
from sightline_embedder.portable.rows import RawPoint, damaged

VECTOR = "vector"
_TEXT = pyarrow.string()
_TIME = pyarrow.timestamp("us", "UTC")
_TEXTS = pyarrow.list_(pyarrow.string())
_COLUMNS: Mapping[str, Any] = {
    "id": _TEXT,
    "sha256": _TEXT,
    "space": _TEXT,
    "model": _TEXT,
    "numerics": _TEXT,
    "format": _TEXT,
    "width": pyarrow.int32(),
    "height": pyarrow.int32(),
    "bytes": pyarrow.int64(),
    "taken_at": _TIME,
    "indexed_at": _TIME,
    "sort_at": _TIME,
    "camera": _TEXT,
    "latitude": pyarrow.float64(),
    "longitude": pyarrow.float64(),
    "perceptual_hash": _TEXT,
    "tags": _TEXTS,
    "auto_tags": _TEXTS,
    "metadata": _TEXT,
    "sources": _TEXT,
    "first_indexed": _TEXT,
    "more": _TEXT,
    "thumbnail": pyarrow.binary(),
}
"""Beside VECTOR, a list of as many float32 as the space has dimensions.

`metadata`, `sources`, `first_indexed` and `more`, what has no column of its own, are JSON.
"""
_SAME_IN_MANY = ["space", "model", "numerics", "format", "camera"]
_DIRECT = (
    *("sha256", "space", "model", "numerics", "format", "width", "height", "bytes"),
    *("taken_at", "indexed_at", "sort_at", "camera", "perceptual_hash"),
)
_IN_COLUMNS = {*_DIRECT, "location", "tags", "auto_tags", "metadata", "sources", "first_indexed"}
_READ_BYTES = 1 << 18


class PointsWriter:
    """Writes a file of points, a group of rows at a time. A context manager; the footer comes at its end."""

    def __init__(self, file: BinaryIO | RawIOBase, dimension: int) -> None:
        """Write to a binary file, which stays open."""
        self._schema = pyarrow.schema(
            [("id", _TEXT), (VECTOR, pyarrow.list_(pyarrow.float32(), dimension))]
            + [(name, kind) for name, kind in _COLUMNS.items() if name != "id"]
        )
        self._writer = pyarrow.parquet.ParquetWriter(
            file, self._schema, compression="zstd", compression_level=1, use_dictionary=_SAME_IN_MANY
        )

    def __enter__(self) -> "PointsWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, points: Sequence[StoredPoint], thumbnails: Mapping[str, bytes]) -> None:
        """Append a group of rows; `thumbnails` by point id."""
        rows = [_row(point, thumbnails.get(point.id)) for point in points]
        columns: dict[str, Any] = {
            name: pyarrow.array([row.get(name) for row in rows], kind) for name, kind in _COLUMNS.items()
        }
        vectors = np.stack([np.asarray(point.vector, dtype=np.float32) for point in points])
        flat = pyarrow.array(vectors.reshape(-1))
        columns[VECTOR] = pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        self._writer.write_table(pyarrow.table(columns, schema=self._schema))


def _row(point: StoredPoint, thumbnail: bytes | None) -> dict[str, Any]:
    payload: Payload = point.payload
    values = {name: getattr(payload, name) for name in _DIRECT}
    place = payload.location
    sources = {key: source.model_dump(mode="json") for key, source in payload.sources.items()}
    return values | {
        "id": point.id,
        "latitude": place.lat if place else None,
        "longitude": place.lon if place else None,
        "tags": list(payload.tags),
        "auto_tags": list(payload.auto_tags),
        "metadata": json.dumps(payload.metadata, ensure_ascii=False),
        "sources": json.dumps(sources, ensure_ascii=False),
        "first_indexed": payload.first_indexed.model_dump_json(),
        "more": json.dumps(payload.model_dump(mode="json", exclude=_IN_COLUMNS), ensure_ascii=False),
        "thumbnail": thumbnail,
    }


def raw_points(descriptor: int, dimension: int, after: int) -> Iterator[RawPoint]:
    """The rows after the first `after` as they are in the file, unchecked but for their types.

    Row groups that lie before are not read. Raises SourceError (`import_damaged`) where a column is missing
    or of another type, and whatever a damaged file makes of the library.
    """
    with open(descriptor, "rb") as file:
        table = open_parquet(file, _READ_BYTES)
        batches, begin = batches_after(table, after, _names(table.schema_arrow))
        for batch in batches:
            rows = _raw(batch, dimension)
            yield from rows[max(0, after - begin) :]
            begin += len(rows)


def _names(schema: Any) -> list[str]:
    for name in ("id", VECTOR):
        if name not in schema.names:
            raise damaged(f"A file of the export has no column '{name}'.")
    known = [name for name in schema.names if name in _COLUMNS or name == VECTOR]
    if len(set(known)) < len(known):
        raise damaged("A file of the export has two columns of one name.")
    return known


def _raw(batch: Any, dimension: int) -> list[RawPoint]:
    cells: dict[str, Sequence[Any]] = {}
    for name, kind in _COLUMNS.items():
        if name in batch.schema.names:
            cells[name] = cells_of(batch.column(name).cast(kind))
    vectors = vector_rows(batch.column(VECTOR), dimension)
    names = list(cells)
    return [
        RawPoint(dict(zip(names, values, strict=True)), vector)
        for *values, vector in zip(*cells.values(), vectors, strict=True)
    ]


def vector_rows(column: Any, dimension: int) -> list[bytes | None]:
    """Vectors as little-endian float32; None for one that is missing or has another length."""
    kind = column.type
    if pyarrow.types.is_fixed_size_list(kind) and kind.list_size == dimension and not column.null_count:
        flat = column.flatten()
        if not flat.null_count:
            matrix = np.asarray(flat.cast(pyarrow.float32()).to_numpy(), dtype="<f4")
            return [row.tobytes() for row in matrix.reshape(-1, dimension)]
    rows: list[bytes | None] = []
    for scalar in column:
        values = scalar.values if scalar.is_valid else None
        if values is None or len(values) != dimension or values.null_count:
            rows.append(None)
            continue
        rows.append(np.asarray(values.cast(pyarrow.float32()).to_numpy(), dtype="<f4").tobytes())
    return rows
