"""Rows of a JSONL file: one object on each line."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from sightline_embedder.sources.manifests.lines import lines_from
from sightline_embedder.sources.manifests.rows import MAX_ROW_BYTES, Row, column_missing


def jsonl_rows(file: BinaryIO, image_column: str, after: str | None) -> Iterator[Row]:
    """The rows after the position `after`; empty lines are left out.

    Raises SourceError: `manifest_encoding`, or `manifest_column_missing` when the first object has no
    `image_column`.
    """
    number, _, offset = (after or "0.0").partition(".")
    count, unseen = int(number), after is None
    for line in lines_from(file, int(offset)):
        if line.text is not None and not line.text.strip():
            continue
        count += 1
        row = _row(count, f"{count}.{line.end}", line.text)
        if unseen and row.fault is None and image_column not in row.values:
            raise column_missing(image_column, row.values)
        unseen = unseen and row.fault is not None
        yield row


def _row(number: int, position: str, text: str | None) -> Row:
    if text is None:
        return Row(number, position, fault=f"is longer than {MAX_ROW_BYTES} bytes")
    try:
        values: Any = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        return Row(number, position, fault=f"is not JSON that can be read ({error})")
    if not isinstance(values, dict):
        return Row(number, position, fault="is not a JSON object")
    return Row(number, position, values)
