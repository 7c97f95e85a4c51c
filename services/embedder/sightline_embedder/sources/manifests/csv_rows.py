"""Rows of a CSV file: a line of column names, then one picture in each record."""

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from sightline_embedder.sources.manifests.lines import lines_from
from sightline_embedder.sources.manifests.rows import (
    MAX_ROW_BYTES,
    Row,
    column_missing,
    damaged,
    require_distinct,
)

_DELIMITERS = ",;\t"


def csv_rows(file: BinaryIO, image_column: str, after: str | None) -> Iterator[Row]:
    """The rows after the position `after`. Empty cells and columns without a name are left out.

    Cells are separated by commas, semicolons or tabs: by what makes `image_column` one of the names.
    Raises SourceError: `manifest_column_missing`, `manifest_encoding`, or `manifest_damaged` where the
    quotes leave no record.
    """
    columns, delimiter, end = _header(file, image_column)
    number, _, offset = (after or f"0.{end}").partition(".")
    records = _Records(file, int(offset), delimiter)
    for count, cells in enumerate(records, int(number) + 1):
        position = f"{count}.{records.end}"
        if any(cells[len(columns) :]):
            fault = f"has {len(cells)} cells, and there are {len(columns)} columns"
            yield Row(count, position, fault=fault)
            continue
        named = zip(columns, cells, strict=False)
        yield Row(count, position, {name: cell for name, cell in named if name and cell})


def _header(file: BinaryIO, image_column: str) -> tuple[Sequence[str], str, int]:
    """Names of the columns, the delimiter, and the byte at which the first record begins."""
    for delimiter in (*_DELIMITERS, _DELIMITERS[0]):
        records = _Records(file, 0, delimiter)
        columns = [name.strip() for name in next(records, [])]
        if image_column in columns:
            require_distinct(name for name in columns if name)
            return columns, delimiter, records.end
    raise column_missing(image_column, columns)


class _Records:
    """Records from byte `offset` on, empty lines left out; `end` is where the next one begins."""

    def __init__(self, file: BinaryIO, offset: int, delimiter: str) -> None:
        self.end = offset
        self._begin = offset
        self._lines = lines_from(file, offset)
        self._reader = csv.reader(self._bounded_lines(), delimiter=delimiter)

    def __iter__(self) -> "_Records":
        return self

    def __next__(self) -> list[str]:
        try:
            while not (cells := self._begun()):
                pass
        except csv.Error as error:
            raise damaged(f"The record at byte {self._begin} cannot be read: {error}.") from error
        return cells

    def _begun(self) -> list[str]:
        self._begin = self.end
        return next(self._reader)

    def _bounded_lines(self) -> Iterator[str]:
        for line in self._lines:
            if line.text is None or line.end - self._begin > MAX_ROW_BYTES:
                raise damaged(
                    f"The record at byte {self._begin} is longer than {MAX_ROW_BYTES} bytes; perhaps a "
                    f"quote is not closed."
                )
            self.end = line.end
            yield line.text
