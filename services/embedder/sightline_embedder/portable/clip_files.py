"""What clip-retrieval writes: vectors in img_emb_N.npy, and what is known of their pictures beside them.

Row n of metadata_N.parquet belongs to row n of the vectors, which are of half or single precision and of any
length; they become unit vectors of float32.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from sightline_embedder.parquet import open_parquet
from sightline_embedder.portable.rows import RawPoint, damaged
from sightline_embedder.sources.manifests.parquet_table import parquet_table_rows

REFERENCES = ("image_path", "url", "key")
"""Columns that say which picture a vector is of, the surest first."""
_ROWS_AT_ONCE = 256
_READ_BYTES = 1 << 16
_MAX_HEADER_BYTES = 10_000


def raw_clip_points(vectors: int, table: int, dimension: int, after: int) -> Iterator[RawPoint]:
    """The rows after the first `after`, from two descriptors; cells as JSON has them.

    Raises SourceError (`import_damaged`) where the two do not fit together or hold something else, and
    whatever a damaged file makes of the libraries.
    """
    with open(table, "rb", closefd=False) as file:
        opened = open_parquet(file, _READ_BYTES)
        names, rows = list(opened.schema_arrow.names), int(opened.metadata.num_rows)
    column = next((name for name in REFERENCES if name in names), None)
    if column is None:
        raise damaged(f"The metadata has none of the columns {', '.join(REFERENCES)}.")
    with open(vectors, "rb") as file:
        found = _vectors(file, dimension, rows, after)
        for values, vector in zip(parquet_table_rows(table, column, after), found, strict=True):
            yield RawPoint(values, vector)


def _vectors(file: BinaryIO, dimension: int, rows: int, after: int) -> Iterator[bytes]:
    shape, kind = _header(file)
    if len(shape) != 2 or shape[1] != dimension:
        raise damaged(
            f"The vectors have the shape {shape}; the model makes vectors of {dimension} dimensions."
        )
    if shape[0] != rows:
        raise damaged(f"There are {shape[0]} vectors and {rows} rows of metadata.")
    size = kind.itemsize * dimension
    file.seek(file.tell() + after * size)
    for begin in range(after, rows, _ROWS_AT_ONCE):
        count = min(_ROWS_AT_ONCE, rows - begin)
        data = file.read(count * size)
        if len(data) < count * size:
            raise damaged("The file of vectors ends too early.")
        yield from map(_unit, np.frombuffer(data, dtype=kind).astype(np.float32).reshape(count, dimension))


def _header(file: BinaryIO) -> tuple[tuple[int, ...], Any]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_column, kind = read(file, max_header_size=_MAX_HEADER_BYTES)
    if kind.kind != "f" or kind.itemsize > 8 or by_column:
        raise damaged(f"The vectors are no rows of floating point numbers, but {kind.str}.")
    return shape, kind


def _unit(vector: "np.ndarray[Any, np.dtype[np.float32]]") -> bytes:
    # What has no direction stays as it is, and is told by its length.
    length = np.linalg.norm(vector)
    return (vector / length if length > 0 else vector).astype("<f4").tobytes()
