"""Recovery of the queue from the ledger, for the one embedder of an embedded stack."""

import structlog
from celery import Celery
from redis import Redis

from sightline.queue.broker import send
from sightline.queue.ledger import Ledger
from sightline.queue.messages import IndexBatch, PlanJob, Queue

_log = structlog.get_logger(__name__)

_UNACKED = ("unacked", "unacked_index", "unacked_mutex")
"""Where kombu keeps messages that were delivered and not acknowledged."""


def rebuild_queue(redis: Redis, broker: Celery, ledger: Ledger) -> None:
    """Throw away every message and send those that the ledger says are owed.

    Only for a sole consumer that has not started yet: what a killed one left unacknowledged would
    otherwise come back only after the visibility timeout. The ledger is read after the messages
    are gone, so that a job made meanwhile is found there or sends its own message.
    """
    redis.delete(*_UNACKED, *(queue.value for queue in Queue))
    owed = 0
    for job_id in ledger.active():
        for batch_id in ledger.pending_batches(job_id):
            send(broker, IndexBatch(job_id=job_id, batch_id=batch_id))
            owed += 1
        if not ledger.plan_state(job_id).listed:
            send(broker, PlanJob(job_id=job_id))
    if owed:
        _log.info("queue_rebuilt", batches=owed)
