"""Rows of a Parquet file, read in a process of its own: the parent's side."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from sightline_embedder.errors import SourceError
from sightline_embedder.limited_process import LimitedProcess, ParserEnded, limited_process
from sightline_embedder.sources.manifests.rows import Row, damaged

_PROCESS = "sightline_embedder.sources.manifests.parquet_process"


def parquet_rows(file: BinaryIO, image_column: str, after: str | None) -> Iterator[Row]:
    """The rows after the position `after`; row groups before it are not read.

    `file` needs a descriptor. Raises SourceError: `manifest_damaged`, `manifest_column_missing` or
    `manifest_column_unusable`; and Unavailable when no process can be started.
    """
    number = int(after or "0")
    order = {"file": file.fileno(), "image_column": image_column, "after": number}
    with limited_process(_PROCESS, [file.fileno()]) as parser:
        request = json.dumps(order).encode()
        while rows := _answer(parser, request):
            for row in rows:
                number += 1
                yield Row(number, str(number), row.get("values", {}), row.get("fault"))
            request = b"more"


def _answer(parser: LimitedProcess, request: bytes) -> list[Any]:
    try:
        parser.send(request)
        answer = json.loads(parser.receive())
    except (ParserEnded, ValueError) as error:
        raise damaged(f"Reading the next rows {error}.") from error
    if isinstance(answer, dict):
        raise SourceError(str(answer["code"]), str(answer["detail"]))
    return list(answer)
