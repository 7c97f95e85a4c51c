"""The points that a migration could not encode for its new version, as Redis records them, and why."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import cast

from pydantic import BaseModel, ConfigDict
from redis import Redis
from redis.client import Pipeline

from sightline.errors import FailureReason
from sightline.queue.connection import redis_errors

_SERVICE = "the record of migrations"
_NOTE = """
-- ARGV: of each point its id, the record and the reason
for i = 1, #ARGV, 3 do
  if redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) == 1 then
    redis.call('HINCRBY', KEYS[2], ARGV[i + 2], 1)
  end
end
"""
_TAKE_BACK = """
-- ARGV: ids of points
for _, id in ipairs(ARGV) do
  local record = redis.call('HGET', KEYS[1], id)
  if record then
    local reason = cjson.decode(record).reason
    redis.call('HDEL', KEYS[1], id)
    if redis.call('HINCRBY', KEYS[2], reason, -1) <= 0 then
      redis.call('HDEL', KEYS[2], reason)
    end
  end
end
"""
_AT_ONCE = 512


class Lost(BaseModel):
    """Why a picture could not be encoded for the new version."""

    model_config = ConfigDict(frozen=True)

    reason: FailureReason
    detail: str


class LostPoints:
    """The lost points of migrations. Every call raises Unavailable when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._note = redis.register_script(_NOTE)
        self._take_back = redis.register_script(_TAKE_BACK)

    def note(self, migration_id: str, lost: Mapping[str, Lost]) -> None:
        """Note points that could not be encoded; of one that is noted already the first reason stays."""
        if lost:
            noted = [(point_id, one.model_dump_json(), one.reason.value) for point_id, one in lost.items()]
            with redis_errors(_SERVICE):
                self._note(keys=_keys(migration_id), args=list(chain.from_iterable(noted)))

    def take_back(self, migration_id: str, point_ids: Sequence[str]) -> None:
        """Note no more that these could not be encoded."""
        if point_ids:
            with redis_errors(_SERVICE):
                self._take_back(keys=_keys(migration_id), args=list(point_ids))

    def ids(self, migration_id: str) -> Iterator[Sequence[str]]:
        """The ids of all, some hundred at a time; what is noted meanwhile may be among them, or twice."""
        records_key, _ = _keys(migration_id)
        cursor = 0
        while True:
            with redis_errors(_SERVICE):
                cursor, page = cast(
                    tuple[int, dict[str, str]], self._redis.hscan(records_key, cursor, count=_AT_ONCE)
                )
            yield list(page)
            if cursor == 0:
                return

    def among(self, migration_id: str, point_ids: Sequence[str]) -> Mapping[str, Lost]:
        """Those of some points that could not be encoded, by id, and why."""
        if not point_ids:
            return {}
        records_key, _ = _keys(migration_id)
        with redis_errors(_SERVICE):
            records = cast(list[str | None], self._redis.hmget(records_key, list(point_ids)))
        found = zip(point_ids, records, strict=True)
        return {point_id: Lost.model_validate_json(record) for point_id, record in found if record}

    def by_reason(self, migration_id: str) -> dict[FailureReason, int]:
        """How many points could not be encoded, by reason."""
        _, counts_key = _keys(migration_id)
        with redis_errors(_SERVICE):
            counts = cast(dict[str, str], self._redis.hgetall(counts_key))
        return {FailureReason(reason): int(count) for reason, count in counts.items()}

    def forget(self, pipe: Pipeline, migration_id: str) -> None:
        """Have a transaction clear away what is noted of a migration."""
        pipe.delete(*_keys(migration_id))


def _keys(migration_id: str) -> tuple[str, str]:
    """Where the points are that could not be encoded, and how many they are by reason."""
    key = f"sightline:migration:{migration_id}:lost"
    return key, f"{key}:reasons"
