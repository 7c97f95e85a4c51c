"""What was deleted while it may still be on its way in: a late batch must not bring it back."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from redis import Redis

from sightline.queue.connection import redis_errors

_SERVICE = "the record of deletions"
_FORGET_UNTIL = """
-- ARGV: a time in seconds, then ids
for i = 2, #ARGV do
  local at = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if at and tonumber(at) <= tonumber(ARGV[1]) then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
"""


class Deletions:
    """Point ids by the time of their deletion, kept as long as jobs are. Raises Unavailable.

    Whoever deletes records it first and deletes then; whoever inserts looks here afterwards and takes
    back what it finds. In whatever order the two meet, the point is gone in the end. A job that was made
    after a deletion ends it with its own insert: what older jobs bring is welcome again.
    """

    def __init__(self, redis: Redis, retention: timedelta) -> None:
        self._redis = redis
        self._retention_s = retention.total_seconds()
        self._forget_until = redis.register_script(_FORGET_UNTIL)

    def record(self, collection: str, ids: Sequence[str]) -> None:
        """Note that points are being deleted now, by the clock of Redis."""
        with redis_errors(_SERVICE):
            seconds, microseconds = self._redis.time()
            now = seconds + microseconds / 1e6
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.zadd(_key(collection), dict.fromkeys(ids, now))
                pipe.zremrangebyscore(_key(collection), 0, now - self._retention_s)
                pipe.execute()

    def forget(self, collection: str) -> None:
        """Forget what was deleted from a collection, which is gone."""
        with redis_errors(_SERVICE):
            self._redis.delete(_key(collection))

    def forget_until(self, collection: str, ids: Sequence[str], moment: datetime) -> None:
        """Forget the deletions of `ids` up to `moment`: a job of that moment has brought them back."""
        with redis_errors(_SERVICE):
            self._forget_until(keys=[_key(collection)], args=[moment.timestamp(), *ids])

    def since(self, collection: str, ids: Sequence[str], moment: datetime) -> set[str]:
        """Those of `ids` that were deleted after `moment`."""
        return {one for one, at in self.times(collection, ids).items() if at > moment}

    def times(self, collection: str, ids: Sequence[str]) -> dict[str, datetime]:
        """When those of `ids` that were deleted were deleted last."""
        if not ids:
            return {}
        with redis_errors(_SERVICE):
            times = self._redis.zmscore(_key(collection), list(ids))
        return {one: datetime.fromtimestamp(at, UTC) for one, at in zip(ids, times, strict=True) if at}


def _key(collection: str) -> str:
    return f"sightline:deleted:{collection}"
