"""What an import is about to insert, noted first: after a crash its points are told from those of others."""

from collections.abc import Collection
from datetime import timedelta
from typing import cast

import msgspec
from redis import Redis

from sightline.queue.connection import redis_errors

_SERVICE = "the record of imports"
_Ids = list[str]


class ImportIntents:
    """For each import the points that its pages at hand make. Raises Unavailable without Redis."""

    def __init__(self, redis: Redis, retention: timedelta) -> None:
        self._redis = redis
        self._retention = retention

    def noted(self, job_id: str, cursor: str) -> set[str] | None:
        """The points that the page before `cursor` was going to make; None for a page that nobody began."""
        with redis_errors(_SERVICE):
            ids = cast(str | None, self._redis.hget(_key(job_id), cursor))
        return None if ids is None else set(msgspec.json.decode(ids, type=_Ids))

    def note(self, job_id: str, cursor: str, new: Collection[str]) -> set[str]:
        """Note them, unless some are noted for that page already: another planner began it. What is noted."""
        key = _key(job_id)
        with redis_errors(_SERVICE), self._redis.pipeline() as steps:
            steps.hsetnx(key, cursor, msgspec.json.encode(list(new)))
            steps.hget(key, cursor)
            steps.expire(key, self._retention)
            _, noted, _ = steps.execute()
        return set(msgspec.json.decode(noted, type=_Ids))

    def forget_page(self, job_id: str, cursor: str) -> None:
        """Forget a page that has been recorded as taken in."""
        with redis_errors(_SERVICE):
            self._redis.hdel(_key(job_id), cursor)

    def forget(self, job_id: str) -> None:
        """Forget what was noted."""
        with redis_errors(_SERVICE):
            self._redis.delete(_key(job_id))


def _key(job_id: str) -> str:
    return f"sightline:import:{job_id}:pages"
