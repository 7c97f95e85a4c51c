"""What the syncs of a folder have seen of its files: the cache that spares reading what did not change.

Redis keeps it for as long as it is there. Without it a sync reads every file once more and encodes none.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias, cast

from redis import Redis

from sightline.queue import sync_scripts
from sightline.queue.connection import redis_errors

_SERVICE = "the state of folder syncs"
_UNSEEDED, _SEEDED = "0", "1"
_TICK_NS = 20_000_000
_COARSE_TICK_NS = 2_000_000_000
"""Clocks of file systems tick every 10 ms at the slowest, or where they count whole seconds every 2 s."""

_Value: TypeAlias = "bytes | bytearray | memoryview[int] | str | int | float"


@dataclass(frozen=True)
class FileStamp:
    """Size in bytes and modification time in ns: a file with an equal stamp counts as unchanged."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, about: os.stat_result) -> Self:
        """The stamp of a file as it is now."""
        return cls(about.st_size, about.st_mtime_ns)

    def tells(self, now_ns: int) -> bool:
        """Whether any change after `now_ns` (Unix time) will show in the stamp.

        A file that was changed an instant ago can change again without its time moving on.
        """
        tick_ns = _TICK_NS if self.mtime_ns % 1_000_000_000 else _COARSE_TICK_NS
        return abs(now_ns - self.mtime_ns) > tick_ns


@dataclass(frozen=True)
class FileState:
    """The point that a file was last seen to be, and its stamp then; without one it is to be read again."""

    point_id: str
    stamp: FileStamp | None = None


@dataclass(frozen=True)
class Departure:
    """A source that a point may have lost: the file at `uri` is gone, or holds another picture now."""

    point_id: str
    uri: str


@dataclass(frozen=True)
class Settlement:
    """What to record of a departure that was dealt with.

    Unless the file's state is `held` (None: whatever it is) nothing is recorded, and the departure comes
    up again; with `forget` the file's state goes too.
    """

    departure: Departure
    held: FileState | None = None
    forget: bool = False


def synced_folders(redis: Redis, collection: str) -> Sequence[str]:
    """The folders that the collection is synced with; raises Unavailable."""
    with redis_errors(_SERVICE):
        return cast(list[str], redis.hkeys(_folders_key(collection)))


def forget_syncs(redis: Redis, collection: str) -> None:
    """Forget the state of all syncs with a collection, which is gone; raises Unavailable."""
    for folder in synced_folders(redis, collection):
        SyncState(redis, collection, folder).forget()
    with redis_errors(_SERVICE):
        redis.delete(_folders_key(collection))


class SyncState:
    """The files of one folder and collection, by URI. Every call raises Unavailable without Redis."""

    def __init__(self, redis: Redis, collection: str, folder: str) -> None:
        key = f"sightline:sync:{collection}:{hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]}"
        self._redis = redis
        self._folder = folder
        self._folders = _folders_key(collection)
        self._files, self._departures = f"{key}:files", f"{key}:departures"
        self._record = redis.register_script(sync_scripts.RECORD)
        self._seed = redis.register_script(sync_scripts.SEED)
        self._settle = redis.register_script(sync_scripts.SETTLE)

    def begin(self) -> bool:
        """Make the folder one of those that are synced; whether it still is to be seeded."""
        with redis_errors(_SERVICE):
            self._redis.hsetnx(self._folders, self._folder, _UNSEEDED)
            return self._redis.hget(self._folders, self._folder) == _UNSEEDED

    def set_seeded(self) -> None:
        """Note that the state knows of everything that the index had when `begin` was first called."""
        with redis_errors(_SERVICE):
            self._redis.hset(self._folders, self._folder, _SEEDED)

    def forget(self) -> None:
        """Forget every file and departure."""
        with redis_errors(_SERVICE):
            self._redis.delete(self._files, self._departures)

    def count(self) -> int:
        """How many files are known."""
        with redis_errors(_SERVICE):
            return self._redis.hlen(self._files)

    def known(self, uris: Sequence[str]) -> Sequence[FileState | None]:
        """The states of files, None for those that are not known."""
        if not uris:
            return []
        with redis_errors(_SERVICE):
            values = cast(list[str | None], self._redis.hmget(self._files, list(uris)))
        return [_state(value) if value else None for value in values]

    def record(self, files: Mapping[str, FileState]) -> None:
        """Note what files are now; those that were another point before depart from that."""
        args: list[_Value] = [part for uri, state in files.items() for part in (uri, _value(state))]
        if args:
            with redis_errors(_SERVICE):
                self._record(keys=[self._files, self._departures], args=args)

    def seed(self, sources: Iterable[Departure]) -> None:
        """Note files that points name as their sources; if two points name one, either may be right."""
        args: list[_Value] = [part for one in sources for part in (one.uri, _value(FileState(one.point_id)))]
        if args:
            with redis_errors(_SERVICE):
                self._seed(keys=[self._files, self._departures], args=args)

    def scan(self, cursor: int, count: int) -> tuple[int, Mapping[str, FileState]]:
        """About `count` files from a cursor on, and the next cursor; both ends are 0.

        Files that are known from the first to the last call are all found, but for a restart of Redis.
        """
        with redis_errors(_SERVICE):
            found = self._redis.hscan(self._files, cursor, count=count)
        following, page = cast(tuple[int, dict[str, str]], found)
        return following, {uri: _state(value) for uri, value in page.items()}

    def depart(self, departures: Iterable[Departure]) -> None:
        """Note sources that points may have lost."""
        members = [_member(one) for one in departures]
        if members:
            with redis_errors(_SERVICE):
                self._redis.sadd(self._departures, *members)

    def departures(self, cursor: int, count: int) -> tuple[int, Sequence[Departure]]:
        """About `count` departures from a cursor on, and the next cursor; both ends are 0."""
        with redis_errors(_SERVICE):
            found = self._redis.sscan(self._departures, cursor, count=count)
        following, page = cast(tuple[int, list[str]], found)
        return following, [Departure(*member.split(" ", 1)) for member in page]

    def settle(self, settlements: Iterable[Settlement]) -> None:
        """Record departures that were dealt with."""
        args: list[_Value] = []
        for one in settlements:
            held = _value(one.held) if one.held else ""
            args += [_member(one.departure), one.departure.uri, held, int(one.forget)]
        if args:
            with redis_errors(_SERVICE):
                self._settle(keys=[self._files, self._departures], args=args)


def _folders_key(collection: str) -> str:
    return f"sightline:sync:{collection}:folders"


def _value(state: FileState) -> str:
    stamp = state.stamp or FileStamp(-1, 0)
    return f"{stamp.size} {stamp.mtime_ns} {state.point_id}"


def _state(value: str) -> FileState:
    size, mtime_ns, point_id = value.split(" ")
    return FileState(point_id, FileStamp(int(size), int(mtime_ns)) if int(size) >= 0 else None)


def _member(departure: Departure) -> str:
    # A URI has no spaces, nor has a point id.
    return f"{departure.point_id} {departure.uri}"
