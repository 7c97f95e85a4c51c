"""A shard in a process of its own, as the index process sees it: started, asked, started again."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from sightline.index.clauses import Clause
from sightline.index.edge import shard_calls as calls
from sightline.index.edge.frames import MAX_LENGTH, receive_frame, send_frame
from sightline.index.edge.shard import (
    Change,
    ShardClosed,
    ShardEnded,
    ShardFailed,
    ShardRefused,
    ShardSize,
)
from sightline.index.ranking import Ranking
from sightline.index.records import Hit, NearPoint, PointRecord, ValueCount
from sightline.settings import SEARCH_EF

STOP_TIMEOUT_S = 20.0
_ATTEMPTS = 5

# The kernel ends a shard's process with the thread that started it, so that one starts all and stays.
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="shard-starter")

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class ShardChild:
    """A Shard over a child process. A child that dies is started again, and the call repeated."""

    def __init__(self, folder: Path, kept_open: Sequence[int] = ()) -> None:
        """Start the child and do not wait; it inherits the descriptors `kept_open`."""
        self._folder = folder
        self._kept_open = tuple(kept_open)
        self._turn = threading.Lock()
        self._closed = False
        self._decoder: msgspec.msgpack.Decoder[calls.Reply] = msgspec.msgpack.Decoder(calls.Reply)
        self._start()

    def await_loaded(self) -> None:
        """Return when the shard is open; raises ShardEnded, or ShardFailed if the engine cannot open it."""
        with self._turn:
            self._with_living(self._await_loaded)

    def apply(self, changes: Sequence[Change]) -> None:
        """Make changes, in order."""
        self._ask(calls.Apply(changes), calls.Done)

    def retrieve(self, ids: Sequence[str], *, with_vectors: bool) -> list[PointRecord]:
        """Read points by id."""
        return self._ask(calls.Retrieve(ids, with_vectors), calls.Found).points

    def search(
        self,
        ranking: Ranking,
        clause: Clause | None,
        *,
        limit: int,
        offset: int,
        exact: bool,
        ef: int = SEARCH_EF,
        with_vectors: bool = False,
    ) -> list[Hit]:
        """The first points of a ranking."""
        call = calls.Search(ranking, clause, limit, offset, exact, with_vectors, ef)
        return self._ask(call, calls.Ranked).hits

    def neighbours(self, ids: Sequence[str], limit: int) -> dict[str, list[NearPoint]]:
        """The nearest other points of each of some points, best first."""
        return self._ask(calls.FindNeighbours(ids, limit), calls.Near).neighbours

    def by_time(self, field: str, *, descending: bool, clause: Clause, limit: int) -> list[PointRecord]:
        """The first points in order of a time field, equal times in any order."""
        return self._ask(calls.ByTime(field, descending, clause, limit), calls.Found).points

    def by_id(
        self, clause: Clause, *, after: str | None, limit: int, with_vectors: bool = False
    ) -> list[PointRecord]:
        """The first points in order of their ids, beyond `after`."""
        return self._ask(calls.ById(clause, after, limit, with_vectors), calls.Found).points

    def count(self, clause: Clause | None = None) -> int:
        """How many points match, exactly."""
        return self._ask(calls.Count(clause), calls.Counted).value

    def facet(self, field: str, clause: Clause | None, *, limit: int) -> list[ValueCount]:
        """The commonest values of an indexed field, exactly counted."""
        return self._ask(calls.Facet(field, clause, limit), calls.Values).counts

    def sample(self, limit: int) -> list[bytes]:
        """Vectors of points picked at random, each at most once, as `vector_bytes`."""
        return self._ask(calls.Sample(limit), calls.Vectors).vectors

    def size(self) -> ShardSize:
        """How large the shard is."""
        return self._ask(calls.Size(), ShardSize)

    def flush(self) -> None:
        """Write everything to the segments."""
        self._ask(calls.Flush(), calls.Done)

    def close(self) -> None:
        """Flush, release the folder and end the child; kills it if that takes too long."""
        with self._turn:
            if self._closed:
                return
            self._closed = True
            try:
                self._channel.settimeout(STOP_TIMEOUT_S)
                self._exchange(msgspec.msgpack.encode(calls.Close()))
            except OSError as error:
                _log.warning("shard_not_closed", folder=str(self._folder), reason=str(error))
            self._kill()

    def discard(self) -> None:
        """End the child at once: its folder is not needed any more."""
        with self._turn:
            self._closed = True
            self._kill()

    def _ask(self, call: calls.Call, answer: type[_T]) -> _T:
        body = msgspec.msgpack.encode(call)
        with self._turn:
            reply = self._with_living(lambda: self._exchange(body))
        if isinstance(reply, calls.Failed):
            raise ShardRefused(reply.reason)
        assert isinstance(reply, answer)
        return reply

    def _with_living(self, act: Callable[[], _T]) -> _T:
        """What `act` returns; a process that dies meanwhile is started again, and `act` called again."""
        if self._closed:
            raise ShardClosed
        for _ in range(_ATTEMPTS):
            try:
                self._await_loaded()
                return act()
            except OSError:
                self._kill()
                _log.warning("shard_process_died", folder=str(self._folder), status=self._process.returncode)
                self._start()
        raise ShardEnded(f"its process on {self._folder} ended {_ATTEMPTS} times in a row")

    def _exchange(self, body: bytes) -> calls.Reply:
        send_frame(self._channel, body)
        return self._received()

    def _received(self) -> calls.Reply:
        reply = receive_frame(self._channel, limit=MAX_LENGTH)
        if reply is None:
            raise ConnectionError("the process of the shard has ended")
        return self._decoder.decode(reply)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "sightline.index.edge.shard_process"]
        command += ["--folder", str(self._folder), "--channel", str(theirs.fileno())]
        command += ["--parent", str(os.getpid())]
        with theirs:
            self._process = _STARTER.submit(_started, command, [theirs.fileno(), *self._kept_open]).result()
        self._channel = ours
        self._loaded = False

    def _await_loaded(self) -> None:
        if self._loaded:
            return
        reply = self._received()
        if isinstance(reply, calls.Failed):
            raise ShardFailed(reply.reason)
        self._loaded = True

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._channel.close()


def _started(command: Sequence[str], kept_open: Sequence[int]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, pass_fds=kept_open, stdin=subprocess.DEVNULL)
