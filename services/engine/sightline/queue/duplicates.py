"""What scans for duplicates find: pairs while a scan goes on, groups when it has ended."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias, cast

from pydantic import BaseModel, ConfigDict
from redis import Redis

from sightline.likeness import DuplicateKind
from sightline.queue.connection import redis_errors

_SERVICE = "the record of duplicates"
_GROUPS_AT_ONCE = 500
_PAIRS_AT_ONCE = 1000
_SEPARATOR = " "
_GIVEN_UP_KEPT_S = 3600
"""Longer than it takes to record that a scan was given up, whose pairs must be there until then."""

Pair: TypeAlias = tuple[str, str]
"""The ids of two points that are duplicates of one another; of one and the same, if its files are."""


class LatestScan(BaseModel):
    """What the latest scan of a collection was asked for, when it ended and how many groups it found."""

    model_config = ConfigDict(frozen=True)

    job: str
    computed_at: datetime
    groups: dict[DuplicateKind, int]


class Duplicates:
    """Pairs of scans under way, and the groups of each collection's latest. Raises Unavailable."""

    def __init__(self, redis: Redis, retention: timedelta) -> None:
        """`retention`: how long the pairs of a scan are kept that nobody ends."""
        self._redis = redis
        self._retention = retention

    def add_pairs(self, job_id: str, kind: DuplicateKind, pairs: Iterable[Pair]) -> int:
        """Note pairs, and say how many are noted by now; noting one twice equals noting it once."""
        members = [_SEPARATOR.join(sorted(pair)) for pair in pairs]
        key = _pairs_key(job_id, kind)
        with redis_errors(_SERVICE), self._redis.pipeline(transaction=True) as pipe:
            if members:
                pipe.sadd(key, *members)
                pipe.expire(key, self._retention)
            pipe.scard(key)
            return int(pipe.execute()[-1])

    def give_up(self, job_id: str) -> None:
        """Have the pairs of a scan go soon: no groups will be made of them."""
        with redis_errors(_SERVICE), self._redis.pipeline(transaction=True) as pipe:
            for kind in DuplicateKind:
                pipe.expire(_pairs_key(job_id, kind), _GIVEN_UP_KEPT_S)
            pipe.execute()

    def pairs(self, job_id: str, kind: DuplicateKind) -> Iterator[Pair]:
        """The pairs of a scan, in any order."""
        with redis_errors(_SERVICE):
            for member in self._redis.sscan_iter(_pairs_key(job_id, kind), count=_PAIRS_AT_ONCE):
                first, second = cast(str, member).split(_SEPARATOR)
                yield first, second

    def publish(
        self,
        collection: str,
        job_id: str,
        groups: dict[DuplicateKind, Sequence[Sequence[str]]],
        computed_at: datetime,
    ) -> None:
        """Put the groups of a scan in the place of an earlier one's, all at once, and forget its pairs."""
        counts = {kind: len(found) for kind, found in groups.items()}
        latest = LatestScan(job=job_id, computed_at=computed_at, groups=counts)
        for kind, found in groups.items():
            self._stage(_staged_key(job_id, kind), found)
        with redis_errors(_SERVICE), self._redis.pipeline(transaction=True) as pipe:
            for kind, found in groups.items():
                pipe.delete(_groups_key(collection, kind), _pairs_key(job_id, kind))
                if found:
                    pipe.rename(_staged_key(job_id, kind), _groups_key(collection, kind))
                    pipe.persist(_groups_key(collection, kind))
            pipe.set(_latest_key(collection), latest.model_dump_json())
            pipe.execute()

    def latest(self, collection: str) -> LatestScan | None:
        """The scan whose groups are kept."""
        with redis_errors(_SERVICE):
            record = cast(str | None, self._redis.get(_latest_key(collection)))
        return LatestScan.model_validate_json(record) if record else None

    def groups(self, collection: str, kind: DuplicateKind, start: int, count: int) -> Sequence[Sequence[str]]:
        """Groups of the latest scan by their place, the largest first: ids of points."""
        with redis_errors(_SERVICE):
            found = cast(
                list[str], self._redis.lrange(_groups_key(collection, kind), start, start + count - 1)
            )
        return [group.split(_SEPARATOR) for group in found]

    def forget(self, collection: str) -> None:
        """Forget what was found in a collection, which is gone."""
        keys = [_latest_key(collection), *(_groups_key(collection, kind) for kind in DuplicateKind)]
        with redis_errors(_SERVICE):
            self._redis.delete(*keys)

    def _stage(self, key: str, groups: Sequence[Sequence[str]]) -> None:
        with redis_errors(_SERVICE):
            self._redis.delete(key)
            for start in range(0, len(groups), _GROUPS_AT_ONCE):
                part = groups[start : start + _GROUPS_AT_ONCE]
                with self._redis.pipeline(transaction=True) as pipe:
                    pipe.rpush(key, *(_SEPARATOR.join(group) for group in part))
                    pipe.expire(key, self._retention)
                    pipe.execute()


def _pairs_key(job_id: str, kind: DuplicateKind) -> str:
    return f"sightline:duplicates:{job_id}:{kind}:pairs"


def _staged_key(job_id: str, kind: DuplicateKind) -> str:
    return f"sightline:duplicates:{job_id}:{kind}:groups"


def _groups_key(collection: str, kind: DuplicateKind) -> str:
    return f"sightline:duplicates:of:{collection}:{kind}"


def _latest_key(collection: str) -> str:
    return f"sightline:duplicates:of:{collection}"
