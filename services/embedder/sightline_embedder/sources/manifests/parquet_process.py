"""A process that reads one Parquet file, in limits of its own.

A few kilobytes of Parquet can unpack to any size, and its readers are C++ that has crashed on damaged
files before. Its answers are JSON: whoever took it over could make its parent run nothing.
"""

import json
import resource
import signal
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from sightline.decoder.memory import MemoryBudget
from sightline_embedder.errors import SourceError
from sightline_embedder.sources.manifests.parquet_rows import ANSWER_S
from sightline_embedder.sources.manifests.parquet_table import parquet_table_rows
from sightline_embedder.sources.manifests.rows import MAX_ROW_BYTES, damaged

MEMORY_BYTES = 1 << 30
_ROWS_AT_ONCE = 256
_ANSWER_BYTES = 4 << 20


def main() -> None:
    """Serve the connection whose descriptor is the first argument, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is the parent's to answer
    with Connection(int(sys.argv[1])) as connection:
        try:
            order = json.loads(connection.recv_bytes())
            budget = MemoryBudget(MEMORY_BYTES)
            answers = _joined(parquet_table_rows(order["file"], order["image_column"], order["after"]))
            while True:
                _limit_cpu_time()
                with budget.enforced():
                    answer = _next(answers)
                connection.send_bytes(answer)
                connection.recv_bytes()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _next(answers: Iterator[bytes]) -> bytes:
    """The next rows as a JSON list, an empty one at the end, or an object that says what is wrong."""
    try:
        return next(answers, b"[]")
    except SourceError as error:
        return json.dumps({"code": error.code, "detail": error.detail}).encode()
    except MemoryError:
        fault = damaged(f"Reading it takes more than {MEMORY_BYTES >> 20} MiB of memory.")
    except Exception as error:
        fault = damaged(f"It is no sound Parquet file ({' '.join(str(error).split())[:300]}).")
    return json.dumps({"code": fault.code, "detail": fault.detail}).encode()


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


def _limit_cpu_time() -> None:
    """End this process by SIGXCPU when it hangs, even where its parent is gone."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    limit = int(usage.ru_utime + usage.ru_stime) + ANSWER_S
    resource.setrlimit(
        resource.RLIMIT_CPU, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
    )
