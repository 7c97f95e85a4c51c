"""Reading Parquet that anybody may have made, a few pages in memory at a time."""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow.parquet

_BATCH_ROWS = 256
_MAX_FOOTER_BYTES = 64 << 20
_MAX_FOOTER_ENTRIES = 1_000_000


def open_parquet(file: BinaryIO, buffer_bytes: int) -> Any:
    """A pyarrow ParquetFile that reads neither whole columns nor ahead, `buffer_bytes` at a time."""
    return pyarrow.parquet.ParquetFile(
        file,
        memory_map=False,
        pre_buffer=False,
        buffer_size=buffer_bytes,
        thrift_string_size_limit=_MAX_FOOTER_BYTES,
        thrift_container_size_limit=_MAX_FOOTER_ENTRIES,
    )


def batches_after(table: Any, after: int, columns: Sequence[str] | None) -> tuple[Iterator[Any], int]:
    """Record batches of these columns, or of all, and the number of the first row in them.

    They begin with the row group in which the row after `after` lies: those before are not read.
    """
    group, begin = _group_of(table.metadata, after)
    groups = list(range(group, table.metadata.num_row_groups))
    return table.iter_batches(_BATCH_ROWS, row_groups=groups, columns=columns, use_threads=False), begin


def cells_of(column: Any) -> Sequence[Any]:
    """The cells of an Arrow array; None for one that is null, or a time outside of Python's calendar."""
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        return [_cell(scalar) for scalar in column]


def _cell(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return None


def _group_of(metadata: Any, after: int) -> tuple[int, int]:
    begin = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if after < begin + rows:
            return group, begin
        begin += rows
    return metadata.num_row_groups, begin
