"""A process for a parser that is not to be trusted with this one: the parent's side.

Some formats unpack a few kilobytes to any size, and their readers are C++ that has crashed on damaged files
before. The process has limits on memory and time, and what it answers is data alone.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from sightline.errors import Unavailable

ANSWER_S = 60
"""Longest that an answer may take, on the clock and on the CPU."""
MAX_ANSWER_BYTES = 64 << 20
_GRACE_S = 1.0
"""A process that closed its connection is ending by itself, with a code worth knowing."""


class ParserEnded(Exception):
    """The process gave no answer; `str()` says how it ended."""


class LimitedProcess:
    """A parser that answers requests one by one."""

    def __init__(self, process: "subprocess.Popen[bytes]", connection: Connection) -> None:
        self._process = process
        self._connection = connection

    def send(self, request: bytes) -> None:
        """Ask; raises ParserEnded."""
        try:
            self._connection.send_bytes(request)
        except OSError as error:
            raise self._ended() from error

    def receive(self) -> bytes:
        """The answer to what was asked; raises ParserEnded."""
        try:
            if not self._connection.poll(ANSWER_S):
                raise ParserEnded(f"took longer than {ANSWER_S} s")
            return self._connection.recv_bytes(MAX_ANSWER_BYTES)
        except (EOFError, OSError) as error:
            raise self._ended() from error

    def _ended(self) -> ParserEnded:
        return ParserEnded(f"ended with {_ending(self._process)}")


@contextmanager
def limited_process(main: str, files: Sequence[int]) -> Iterator[LimitedProcess]:
    """A process that runs `main` of a module, has these descriptors, and ends with the block.

    Raises Unavailable when none can be started.
    """
    ours, theirs = Pipe()
    with ours:
        with theirs:
            process = _start(main, files, theirs.fileno())
        try:
            yield LimitedProcess(process, ours)
        finally:
            process.kill()
            process.wait()


def _start(module: str, files: Sequence[int], connection: int) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", f"from {module} import main; main()", str(connection)],
            pass_fds=[connection, *files],
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
