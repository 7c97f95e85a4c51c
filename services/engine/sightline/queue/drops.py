"""Collections that are being deleted: a job recorded meanwhile would bring pictures into what is gone."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import cast

from redis import Redis

from sightline.errors import CollectionBeingDeleted, Unavailable
from sightline.queue.connection import redis_errors

DROPS = "sightline:drops"
"""Collections by the time, that of Redis, up to which whoever looked at one records no job for it."""
LEASE_S = 30.0
"""A gateway that dies while it deletes a collection keeps jobs from it for so long."""
_KEPT_S = 3600.0
"""Longer than a job takes to be recorded."""
_SERVICE = "the record of deleted collections"
_MARK = """
-- ARGV: the collection, the time, the time up to which it is marked, that up to which marks are forgotten
local until_then = redis.call('ZSCORE', KEYS[1], ARGV[1])
if until_then and tonumber(until_then) > tonumber(ARGV[2]) then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[4])
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
"""
_MOVE = """
-- ARGV: the collection, the time up to which it was marked at most, the time that takes its place
local until_then = redis.call('ZSCORE', KEYS[1], ARGV[1])
if until_then and tonumber(until_then) > tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
"""


class Drops:
    """The marks in Redis. Safe to use from several threads; raises Unavailable when it does not answer."""

    def __init__(self, redis: Redis, lease_s: float = LEASE_S) -> None:
        self._redis = redis
        self._lease_s = lease_s
        self._mark = redis.register_script(_MARK)
        self._move = redis.register_script(_MOVE)

    def check(self, collection: str) -> datetime:
        """The time now, for Ledger.create; raises CollectionBeingDeleted for a collection that is marked."""
        with redis_errors(_SERVICE), self._redis.pipeline(transaction=True) as pipe:
            pipe.time()
            pipe.zscore(DROPS, collection)
            now, until = cast(tuple[tuple[int, int], float | None], tuple(pipe.execute()))
        if until is not None and until > _seconds(now):
            raise CollectionBeingDeleted(collection)
        return datetime.fromtimestamp(now[0], UTC) + timedelta(microseconds=now[1])

    @contextmanager
    def held(self, collection: str) -> Iterator[None]:
        """Keep jobs from a collection, by a mark that is renewed until the context ends.

        Raises CollectionBeingDeleted where somebody else deletes it. Who looked at the collection before the
        context ends records no job afterwards either: what they saw may be gone.
        """
        now = self._now()
        until = now + self._lease_s
        with redis_errors(_SERVICE):
            marked = self._mark(keys=[DROPS], args=[collection, now, until, now - _KEPT_S])
        if not marked:
            raise CollectionBeingDeleted(collection)
        mark, ended = _Mark(collection, until), Event()
        renewal = Thread(target=self._renew, args=(mark, ended), name="drop-mark", daemon=True)
        renewal.start()
        try:
            yield
        finally:
            ended.set()
            renewal.join()
            with suppress(Unavailable):  # It runs out by itself.
                self._set(mark, self._now())

    def _renew(self, mark: "_Mark", ended: Event) -> None:
        while not ended.wait(self._lease_s / 3):
            with suppress(Unavailable):
                self._set(mark, self._now() + self._lease_s)

    def _set(self, mark: "_Mark", until: float) -> None:
        """Move a mark, unless it ran out while Redis was away and somebody else has made one."""
        # What gets no answer may be done all the same.
        before, mark.until = mark.until, until
        with redis_errors(_SERVICE):
            if not self._move(keys=[DROPS], args=[mark.collection, before, until]):
                mark.until = before

    def _now(self) -> float:
        with redis_errors(_SERVICE):
            return _seconds(self._redis.time())


@dataclass
class _Mark:
    """A mark as it was last set."""

    collection: str
    until: float


def _seconds(time: tuple[int, int]) -> float:
    seconds, microseconds = time
    return seconds + microseconds / 1e6
