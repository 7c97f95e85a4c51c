"""Manifests in Parquet."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow

from sightline_embedder.errors import SourceError
from sightline_embedder.parquet import batches_after, cells_of, open_parquet
from sightline_embedder.sources.manifests.cells import json_value
from sightline_embedder.sources.manifests.rows import column_missing, require_distinct

_READ_BYTES = 1 << 16


def parquet_table_rows(descriptor: int, image_column: str, after: int) -> Iterator[dict[str, Any]]:
    """The rows after the first `after`, as JSON; columns of bytes and empty cells are left out.

    Row groups that lie before are not read. Raises SourceError, and whatever a damaged file makes of the
    library.
    """
    with open(descriptor, "rb") as file:
        table = open_parquet(file, _READ_BYTES)
        columns = _columns(table.schema_arrow, image_column)
        batches, begin = batches_after(table, after, columns)
        yield from islice((row for batch in batches for row in _rows(batch)), after - begin, None)


def _columns(schema: Any, image_column: str) -> Sequence[str] | None:
    """The columns to read, None for all: bytes are no metadata, and may be large."""
    require_distinct(schema.names)
    if image_column not in schema.names:
        raise column_missing(image_column, schema.names)
    kind = schema.field(image_column).type
    kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
    if not _is_text(kind):
        raise SourceError(
            "manifest_column_unusable", f"Column '{image_column}' holds {str(kind)[:100]}, not text."
        )
    wanted = [field.name for field in schema if not _is_bytes(field.type)]
    return wanted if len(wanted) < len(schema.names) else None


def _is_text(kind: Any) -> bool:
    types = pyarrow.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_bytes(kind: Any) -> bool:
    types = pyarrow.types
    kinds = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    return any(is_kind(kind) for is_kind in kinds)


def _rows(batch: Any) -> Iterator[dict[str, Any]]:
    names = batch.schema.names
    for cells in zip(*(_cells(column) for column in batch.columns), strict=True):
        values = {name: json_value(cell) for name, cell in zip(names, cells, strict=True)}
        yield {name: value for name, value in values.items() if value is not None}


def _cells(column: Any) -> Sequence[Any]:
    kind = column.type
    if pyarrow.types.is_timestamp(kind):
        # Python knows no nanoseconds, and no names of zones where the system has none.
        column = column.cast(pyarrow.timestamp("us", "UTC" if kind.tz else None), safe=False)
    return cells_of(column)
