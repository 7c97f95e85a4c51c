"""What happens to one message: the batch is run, given back, or split, and never lost."""

from datetime import UTC, datetime
from threading import Lock

import structlog
from celery import Celery

from sightline.errors import FailureReason, JobNotFound, SpaceMismatch, Unavailable
from sightline.index import CollectionSpec, VectorIndex
from sightline.queue.broker import send
from sightline.queue.jobs import Batch, BatchOutcome, Claim, Failure, Job
from sightline.queue.ledger import Ledger
from sightline.queue.messages import IndexBatch
from sightline_embedder.errors import PointsGone
from sightline_embedder.indexing import BatchIndexer

_log = structlog.get_logger(__name__)

MAX_STARTS = 3
"""A batch that was started this often without an outcome is split, until one picture is left."""


class BatchFailed(Exception):
    """The batch failed by something other than its pictures and should be tried again."""


class BatchRunner:
    """Runs planned batches against the ledger. Safe to call from several threads.

    A start that ends without an outcome, be it by a defect of ours or because the process died, counts
    against the batch. After MAX_STARTS the batch is halved, and so on until the picture that does it
    is alone; that one is recorded as `internal`, and the others go through.
    """

    def __init__(
        self,
        ledger: Ledger,
        broker: Celery,
        indexer: BatchIndexer,
        index: VectorIndex,
        spec: CollectionSpec,
    ) -> None:
        self._ledger = ledger
        self._broker = broker
        self._indexer = indexer
        self._index = index
        self._spec = spec
        self._ready_collections: set[str] = set()
        self._lock = Lock()

    def run(self, job_id: str, batch_id: str) -> None:
        """Run a batch that has no outcome yet and set its outcome.

        Raises Unavailable when a service is missing, SpaceMismatch when this embedder runs another
        model than the collection, and BatchFailed on a defect: all of them mean again, later.
        """
        claim = self._ledger.claim(job_id, batch_id)
        if claim is None:
            return
        try:
            job = self._ledger.job(job_id)
        except JobNotFound:
            _log.warning("job_record_gone", job_id=job_id, batch_id=batch_id)
            return
        if claim.starts <= MAX_STARTS:
            outcome = self._attempt(job, claim.batch)
        elif len(claim.batch.items) > 1:
            self._split(job_id, claim.batch)
            return
        else:
            outcome = _given_up(claim)
        self._ledger.set_outcome(job_id, batch_id, outcome)
        _log.info(
            "batch_done",
            job_id=job_id,
            batch_id=batch_id,
            indexed=outcome.indexed,
            unchanged=outcome.unchanged,
            canceled=outcome.canceled,
            failed=len(outcome.failures),
        )

    def _attempt(self, job: Job, batch: Batch) -> BatchOutcome:
        try:
            self._ensure_collection(job.request.collection)
            return self._indexer.run(job, batch)
        except (Unavailable, SpaceMismatch):
            self._ledger.release(job.id, batch.id)
            raise
        except PointsGone as error:
            self._ledger.release(job.id, batch.id)
            raise BatchFailed(str(error)) from error
        except Exception as error:
            defect = f"{type(error).__name__}: {error}"
            self._ledger.note_defect(job.id, batch.id, defect)
            _log.exception("batch_failed", job_id=job.id, batch_id=batch.id)
            raise BatchFailed(defect) from error

    def _split(self, job_id: str, batch: Batch) -> None:
        _log.warning("batch_split", job_id=job_id, batch_id=batch.id, pictures=len(batch.items))
        for half in self._ledger.split(job_id, batch):
            send(self._broker, IndexBatch(job_id=job_id, batch_id=half.id))

    def _ensure_collection(self, name: str) -> None:
        with self._lock:
            if name in self._ready_collections:
                return
        self._index.ensure_collection(
            CollectionSpec(name, self._spec.space, self._spec.dimension, self._spec.fields)
        )
        with self._lock:
            self._ready_collections.add(name)


def _given_up(claim: Claim) -> BatchOutcome:
    attempts = claim.starts - 1
    if claim.defect is None:
        detail = f"The embedder ended {attempts} times while it worked on this picture; its log may say why."
    else:
        detail = f"Indexing this picture failed {attempts} times, last with {claim.defect}"
    failures = (
        Failure(
            item=item,
            reason=FailureReason.INTERNAL,
            detail=detail,
            attempts=attempts,
            at=datetime.now(UTC),
        )
        for item in claim.batch.items
    )
    return BatchOutcome(indexed=0, unchanged=0, failures=tuple(failures))
