"""Recovery of the queue from the ledger: which messages are owed, and which of them are on their way."""

import base64
import json
from collections.abc import Iterator
from typing import cast

import structlog
from celery import Celery
from redis import Redis
from redis.exceptions import RedisError

from sightline.errors import JobNotFound, Unavailable
from sightline.queue.broker import UNACKNOWLEDGED, send
from sightline.queue.ledger import Ledger
from sightline.queue.messages import IndexBatch, Message, PlanJob, Queue

_log = structlog.get_logger(__name__)

_DELIVERED = (UNACKNOWLEDGED, "unacked_index", "unacked_mutex")
"""All that kombu keeps of messages that were delivered and not acknowledged."""
_TYPES: dict[str, type[PlanJob] | type[IndexBatch]] = {kind.task: kind for kind in (PlanJob, IndexBatch)}


def owed_messages(ledger: Ledger, batches_in_flight: int) -> Iterator[Message]:
    """What must be on its way for every job to end; raises Unavailable."""
    for job_id in ledger.active():
        try:
            state = ledger.plan_state(job_id)
        except JobNotFound:
            _log.warning("job_record_gone", job_id=job_id)
            continue
        for batch_id in ledger.pending_batches(job_id):
            yield IndexBatch(job_id=job_id, batch_id=batch_id, origin=state.origin)
        # With more in flight, the end of a batch asks for the next step.
        if not state.listed and state.in_flight <= batches_in_flight // 2:
            yield PlanJob(job_id=job_id, origin=state.origin)


def live_messages(redis: Redis) -> set[Message]:
    """Messages that wait in the queues, or that an embedder has and has not acknowledged."""
    try:
        waiting = [body for queue in Queue for body in cast(list[str], redis.lrange(queue.value, 0, -1))]
        delivered = cast(list[str], redis.hvals(UNACKNOWLEDGED))
    except (RedisError, OSError) as error:
        raise Unavailable("Redis (the queue)", str(error)) from error
    found = [_message(body, delivered=False) for body in waiting]
    found += [_message(body, delivered=True) for body in delivered]
    return {message for message in found if message is not None}


def rebuild_queue(redis: Redis, broker: Celery, ledger: Ledger, batches_in_flight: int) -> None:
    """Throw away every message and send those that the ledger says are owed.

    Only for a sole consumer that has not started yet: what a killed one left unacknowledged would
    otherwise come back only after the visibility timeout. The ledger is read after the messages
    are gone, so that a job made meanwhile is found there or sends its own message.
    """
    redis.delete(*_DELIVERED, *(queue.value for queue in Queue))
    owed = list(owed_messages(ledger, batches_in_flight))
    for message in owed:
        send(broker, message)
    if owed:
        _log.info("queue_rebuilt", messages=len(owed))


def _message(record: str, *, delivered: bool) -> Message | None:
    """What kombu keeps of a message; None for what is none of ours, which whoever takes it throws away."""
    try:
        envelope = json.loads(record)[0] if delivered else json.loads(record)
        _, body, _ = json.loads(base64.b64decode(envelope["body"]))
        return _TYPES[envelope["headers"]["task"]].model_validate(body)
    except (ValueError, TypeError, LookupError):
        return None
