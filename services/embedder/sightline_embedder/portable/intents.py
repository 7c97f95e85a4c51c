"""What an import is about to insert, noted first: after a crash its points are told from those of others."""

from collections.abc import Collection
from datetime import timedelta
from typing import cast

import msgspec
from redis import Redis

from sightline.queue.connection import redis_errors

_SERVICE = "the record of imports"


class _Intent(msgspec.Struct, frozen=True):
    cursor: str
    new: list[str]


class ImportIntents:
    """For each import the points that its page at hand makes. Raises Unavailable without Redis."""

    def __init__(self, redis: Redis, retention: timedelta) -> None:
        self._redis = redis
        self._retention = retention

    def noted(self, job_id: str, cursor: str) -> set[str] | None:
        """The points that the page before `cursor` was going to make; None for a page that nobody began."""
        with redis_errors(_SERVICE):
            record = cast(str | None, self._redis.get(_key(job_id)))
        intent = msgspec.json.decode(record, type=_Intent) if record else None
        return set(intent.new) if intent is not None and intent.cursor == cursor else None

    def note(self, job_id: str, cursor: str, new: Collection[str]) -> None:
        """Note them, in place of those of the page before."""
        record = msgspec.json.encode(_Intent(cursor, list(new)))
        with redis_errors(_SERVICE):
            self._redis.set(_key(job_id), record, ex=self._retention)

    def forget(self, job_id: str) -> None:
        """Forget what was noted."""
        with redis_errors(_SERVICE):
            self._redis.delete(_key(job_id))


def _key(job_id: str) -> str:
    return f"sightline:import:{job_id}:page"
