"""Which embedders are alive: each says so in Redis, and is forgotten when it stops saying so."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from pydantic import BaseModel, ConfigDict
from redis import Redis

from sightline.queue.connection import redis_errors
from sightline.queue.messages import Queue

KEPT_S = 20
"""An embedder that has not been heard of for so long counts as gone."""
_ALIVE = "sightline:embedders"
_SERVICE = "the embedders' signs of life"


class SignOfLife(BaseModel):
    """What an embedder says of itself; times are those of its own clock.

    `last_progress` is when a message was last taken or finished or a download went on, `batches` how many
    batches were finished, `fault` what keeps it from encoding pictures.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    host: str
    since: datetime
    at: datetime
    batches: int
    last_progress: datetime | None
    fault: str | None = None


@dataclass(frozen=True)
class LiveEmbedder:
    """An embedder that is alive. `clock_ahead_s`: of its clock, against that of Redis."""

    sign: SignOfLife
    clock_ahead_s: float


@dataclass(frozen=True)
class Crew:
    """The embedders that are alive, the oldest first, and how many messages no embedder has taken.

    `at` is the time of Redis.
    """

    at: datetime
    embedders: Sequence[LiveEmbedder]
    waiting: int


class Embedders:
    """The signs of life in Redis. Every call raises Unavailable when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def announce(self, sign: SignOfLife) -> None:
        """Keep a sign of life, in place of an earlier one of the same embedder."""
        with redis_errors(_SERVICE), self._redis.pipeline(transaction=True) as pipe:
            pipe.set(_key(sign.id), sign.model_dump_json(), ex=KEPT_S)
            pipe.sadd(_ALIVE, sign.id)
            pipe.execute()

    def leave(self, embedder_id: str) -> None:
        """Forget an embedder that ends."""
        with redis_errors(_SERVICE), self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(_key(embedder_id))
            pipe.srem(_ALIVE, embedder_id)
            pipe.execute()

    def crew(self) -> Crew:
        """Who is alive."""
        with redis_errors(_SERVICE), self._redis.pipeline(transaction=True) as pipe:
            ids = sorted(cast(set[str], self._redis.smembers(_ALIVE)))
            pipe.time()
            for queue in Queue:
                pipe.llen(queue.value)
            for one in ids:
                pipe.get(_key(one))
                pipe.pttl(_key(one))
            (seconds, microseconds), *read = pipe.execute()
            waiting, signs = read[: len(Queue)], read[len(Queue) :]
            self._forget([one for one, sign in zip(ids, signs[::2], strict=True) if sign is None])
        at = datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
        alive = [
            _live(SignOfLife.model_validate_json(sign), left_ms, at)
            for sign, left_ms in zip(signs[::2], signs[1::2], strict=True)
            if sign is not None
        ]
        return Crew(at, sorted(alive, key=lambda one: one.sign.since), sum(waiting))

    def clock_ahead_s(self, now: float | None = None) -> float:
        """How far the clock of this machine, or `now` (Unix time, s), is ahead of that of Redis."""
        with redis_errors(_SERVICE):
            seconds, microseconds = self._redis.time()
        return (time.time() if now is None else now) - (seconds + microseconds / 1e6)

    def _forget(self, gone: Sequence[str]) -> None:
        if gone:
            self._redis.srem(_ALIVE, *gone)


def _key(embedder_id: str) -> str:
    return f"sightline:embedder:{embedder_id}"


def _live(sign: SignOfLife, left_ms: int, at: datetime) -> LiveEmbedder:
    # How long ago it was kept is told by what is left of its time, whatever its clock says.
    said_s = at.timestamp() - (KEPT_S - left_ms / 1000)
    return LiveEmbedder(sign, sign.at.timestamp() - said_s)
