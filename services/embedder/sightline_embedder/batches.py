"""What happens to one message: the batch is run, or given back, or given up, and never lost."""

from datetime import UTC, datetime
from threading import Lock

import structlog

from sightline.errors import FailureReason, JobNotFound, SpaceMismatch, Unavailable
from sightline.index import CollectionSpec, VectorIndex
from sightline.queue.jobs import Batch, BatchOutcome, Failure, Job
from sightline.queue.ledger import Ledger
from sightline_embedder.indexing import BatchIndexer

_log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3
"""Attempts at a batch that fails by a defect of ours before its pictures are recorded as failed."""


class BatchFailed(Exception):
    """The batch failed by something other than its pictures and should be tried again."""


class BatchRunner:
    """Runs planned batches against the ledger. Safe to call from several threads."""

    def __init__(
        self, ledger: Ledger, indexer: BatchIndexer, index: VectorIndex, spec: CollectionSpec
    ) -> None:
        self._ledger = ledger
        self._indexer = indexer
        self._index = index
        self._spec = spec
        self._ready_collections: set[str] = set()
        self._lock = Lock()

    def run(self, job_id: str, batch_id: int) -> None:
        """Run a batch that has no outcome yet and set its outcome.

        Raises Unavailable when a service is missing, SpaceMismatch when this embedder runs another
        model than the collection, and BatchFailed on a defect: all of them mean again, later.
        """
        try:
            job = self._ledger.job(job_id)
        except JobNotFound:
            _log.warning("job_record_gone", job_id=job_id, batch_id=batch_id)
            return
        batch = self._ledger.batch(job_id, batch_id)
        if batch is None:
            return
        outcome = self._attempt(job, batch)
        self._ledger.set_outcome(job_id, batch_id, outcome)
        _log.info(
            "batch_done",
            job_id=job_id,
            batch_id=batch_id,
            indexed=outcome.indexed,
            unchanged=outcome.unchanged,
            failed=len(outcome.failures),
        )

    def _attempt(self, job: Job, batch: Batch) -> BatchOutcome:
        try:
            self._ensure_collection(job.request.collection)
            return self._indexer.run(job, batch)
        except (Unavailable, SpaceMismatch):
            raise
        except Exception as error:
            attempts = self._ledger.count_attempt(job.id, batch.id)
            _log.exception("batch_failed", job_id=job.id, batch_id=batch.id, attempts=attempts)
            if attempts < MAX_ATTEMPTS:
                raise BatchFailed from error
            return _given_up(batch, attempts, error)

    def _ensure_collection(self, name: str) -> None:
        with self._lock:
            if name in self._ready_collections:
                return
        self._index.ensure_collection(
            CollectionSpec(name, self._spec.space, self._spec.dimension, self._spec.fields)
        )
        with self._lock:
            self._ready_collections.add(name)


def _given_up(batch: Batch, attempts: int, error: Exception) -> BatchOutcome:
    now = datetime.now(UTC)
    detail = f"The batch failed {attempts} times, last with {type(error).__name__}: {error}"
    return BatchOutcome(
        indexed=0,
        unchanged=0,
        failures=tuple(
            Failure(
                number=item.number,
                source=item.uri,
                reason=FailureReason.INTERNAL,
                detail=detail,
                attempts=attempts,
                at=now,
            )
            for item in batch.items
        ),
    )
