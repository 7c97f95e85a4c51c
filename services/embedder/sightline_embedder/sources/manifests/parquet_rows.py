"""Rows of a Parquet file, read in a process of its own: the parent's side."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, BinaryIO

from sightline.errors import Unavailable
from sightline_embedder.errors import SourceError
from sightline_embedder.sources.manifests.rows import Row, damaged

ANSWER_S = 60
"""Longest that reading the next rows may take, on the clock and on the CPU."""

_BOOT = "from sightline_embedder.sources.manifests.parquet_process import main; main()"
_MAX_ANSWER_BYTES = 64 << 20
_GRACE_S = 1.0
"""A process that closed its connection is ending by itself, with a code worth knowing."""


def parquet_rows(file: BinaryIO, image_column: str, after: str | None) -> Iterator[Row]:
    """The rows after the position `after`; row groups before it are not read.

    `file` needs a descriptor. Raises SourceError: `manifest_damaged`, `manifest_column_missing` or
    `manifest_column_unusable`; and Unavailable when no process can be started.
    """
    number = int(after or "0")
    order = {"file": file.fileno(), "image_column": image_column, "after": number}
    with _process(file) as (process, connection):
        request = json.dumps(order).encode()
        while rows := _answer(process, connection, request):
            for row in rows:
                number += 1
                yield Row(number, str(number), row.get("values", {}), row.get("fault"))
            request = b"more"


def _answer(process: "subprocess.Popen[bytes]", connection: Connection, request: bytes) -> list[Any]:
    try:
        connection.send_bytes(request)
        if not connection.poll(ANSWER_S):
            raise damaged(f"Reading the next rows took longer than {ANSWER_S} s.")
        answer = json.loads(connection.recv_bytes(_MAX_ANSWER_BYTES))
    except (EOFError, OSError, ValueError) as error:
        raise damaged(f"Reading it ended with {_ending(process)}.") from error
    if isinstance(answer, dict):
        raise SourceError(str(answer["code"]), str(answer["detail"]))
    return list(answer)


@contextmanager
def _process(file: BinaryIO) -> Iterator[tuple["subprocess.Popen[bytes]", Connection]]:
    ours, theirs = Pipe()
    with ours:
        with theirs:
            process = _start(file.fileno(), theirs.fileno())
        try:
            yield process, ours
        finally:
            process.kill()
            process.wait()


def _start(file: int, connection: int) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, str(connection)],
            pass_fds=[connection, file],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join(sys.path),
                "OPENBLAS_NUM_THREADS": "1",
                # Others reserve a gigabyte of addresses at once, and its memory is limited by addresses.
                "ARROW_DEFAULT_MEMORY_POOL": "system",
            },
            process_group=0,
        )
    except OSError as error:
        raise Unavailable("The reader of Parquet", f"its process cannot be started: {error}.") from error


def _ending(process: "subprocess.Popen[bytes]") -> str:
    try:
        code = process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        return "a nonsensical answer"
    return f"signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"exit code {code}"
