"""A process that reads one Parquet file, in limits of its own.

Its answers are JSON: whoever took it over could make its parent run nothing.
"""

import json
from collections.abc import Iterator
from typing import Any

from sightline_embedder.errors import SourceError
from sightline_embedder.limited_parser import serve
from sightline_embedder.sources.manifests.parquet_table import parquet_table_rows
from sightline_embedder.sources.manifests.rows import MAX_ROW_BYTES, damaged

_ROWS_AT_ONCE = 256
_ANSWER_BYTES = 4 << 20


def main() -> None:
    """Serve the parent: rows as JSON lists, an empty one at the end, or an object that says what is wrong."""
    serve(_answers, last=b"[]", said=_said, damage=damaged)


def _answers(order: bytes) -> Iterator[bytes]:
    told = json.loads(order)
    return _joined(parquet_table_rows(told["file"], told["image_column"], told["after"]))


def _said(error: SourceError) -> bytes:
    return json.dumps({"code": error.code, "detail": error.detail}).encode()


def _joined(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """Rows as JSON lists of bounded size."""
    parts: list[bytes] = []
    size = 0
    for values in rows:
        part = json.dumps({"values": values}).encode()
        if len(part) > MAX_ROW_BYTES:
            part = json.dumps({"fault": f"is longer than {MAX_ROW_BYTES} bytes"}).encode()
        parts.append(part)
        size += len(part)
        if len(parts) == _ROWS_AT_ONCE or size > _ANSWER_BYTES:
            yield b"[" + b",".join(parts) + b"]"
            parts, size = [], 0
    if parts:
        yield b"[" + b",".join(parts) + b"]"
