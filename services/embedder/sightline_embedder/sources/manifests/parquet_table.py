"""The door to Parquet."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow
import pyarrow.parquet

from sightline_embedder.errors import SourceError
from sightline_embedder.sources.manifests.cells import json_value
from sightline_embedder.sources.manifests.rows import column_missing, require_distinct

_BATCH_ROWS = 256
_READ_BYTES = 1 << 16
_MAX_FOOTER_BYTES = 64 << 20
_MAX_FOOTER_ENTRIES = 1_000_000


def parquet_table_rows(descriptor: int, image_column: str, after: int) -> Iterator[dict[str, Any]]:
    """The rows after the first `after`, as JSON; columns of bytes and empty cells are left out.

    Row groups that lie before are not read. Raises SourceError, and whatever a damaged file makes of the
    library.
    """
    with open(descriptor, "rb") as file:
        # Neither the whole file, nor whole columns, nor ahead: memory is to hold a few pages.
        table = pyarrow.parquet.ParquetFile(
            file,
            memory_map=False,
            pre_buffer=False,
            buffer_size=_READ_BYTES,
            thrift_string_size_limit=_MAX_FOOTER_BYTES,
            thrift_container_size_limit=_MAX_FOOTER_ENTRIES,
        )
        columns = _columns(table.schema_arrow, image_column)
        group, begin = _group_of(table.metadata, after)
        batches = table.iter_batches(
            _BATCH_ROWS,
            row_groups=list(range(group, table.metadata.num_row_groups)),
            columns=columns,
            use_threads=False,
        )
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


def _group_of(metadata: Any, after: int) -> tuple[int, int]:
    """The row group in which the row after `after` lies, and how many rows lie before it."""
    begin = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if after < begin + rows:
            return group, begin
        begin += rows
    return metadata.num_row_groups, begin


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
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        return [_cell(scalar) for scalar in column]


def _cell(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):  # a date that Python cannot express
        return None
