"""The queue from outside: how much waits, for how long, and how many jobs there are."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from sightline.queue.broker import SENT_AT, UNACKNOWLEDGED
from sightline.queue.connection import redis_errors
from sightline.queue.job_records import ACTIVE, ENDED, job_key
from sightline.queue.jobs import JobState
from sightline.queue.messages import Queue


@dataclass(frozen=True)
class Waiting:
    """The messages of one queue that no embedder has taken. `oldest_s`: since the next of them was sent."""

    messages: int
    oldest_s: float


@dataclass(frozen=True)
class QueueState:
    """The queue at one moment. `taken` messages are with an embedder, and not acknowledged.

    `active` counts the jobs that have not ended by their state, `ended` all that ever have by their last.
    """

    queues: Mapping[Queue, Waiting]
    taken: int
    active: Mapping[JobState, int]
    ended: Mapping[JobState, int]


class QueueWatch:
    """Reads the state of the queue; safe to call from several threads."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def read(self) -> QueueState:
        """The state now; raises Unavailable after the patience of the client."""
        with redis_errors("the queue"), self._redis.pipeline(transaction=False) as pipe:
            for queue in Queue:
                pipe.llen(queue.value)
                pipe.lindex(queue.value, -1)
            pipe.hlen(UNACKNOWLEDGED)
            pipe.hgetall(ENDED)
            pipe.smembers(ACTIVE)
            *waiting, taken, ended, active = pipe.execute()
        return QueueState(
            queues=dict(zip(Queue, _waiting(waiting), strict=True)),
            taken=taken,
            active=self._states(active),
            ended={JobState(state): int(count) for state, count in ended.items()},
        )

    def _states(self, job_ids: set[str]) -> Mapping[JobState, int]:
        with redis_errors("the job ledger"), self._redis.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hget(job_key(job_id), "state")
            states = cast(list[str | None], pipe.execute())
        # A job may end, and its record go, between the two reads.
        found = Counter(JobState(state) for state in states if state is not None)
        return {state: found[state] for state in JobState if not state.final}


def _waiting(lengths_and_oldest: Sequence[Any]) -> Sequence[Waiting]:
    pairs = zip(lengths_and_oldest[::2], lengths_and_oldest[1::2], strict=True)
    return [Waiting(length, _age_s(oldest)) for length, oldest in pairs]


def _age_s(envelope: str | None) -> float:
    if envelope is None:
        return 0.0
    try:
        sent_at = float(json.loads(envelope)["headers"][SENT_AT])
    except (ValueError, KeyError, TypeError):
        return 0.0  # Not from us, or from before messages said so: no reason to fail a scrape.
    # The clock of the machine that sent it may be ahead of ours.
    return max(0.0, time.time() - sent_at)
