"""What happens to one message: the batch is run, given back, or split, and never lost."""

from datetime import UTC, datetime
from threading import Lock

import structlog
from celery import Celery

from sightline.disk_room import check_room
from sightline.errors import (
    CollectionNotFound,
    FailureReason,
    JobNotFound,
    ModelError,
    SpaceMismatch,
    StorageFull,
    Unavailable,
)
from sightline.identity import point_id
from sightline.index import CollectionSpec
from sightline.media import MediaStore
from sightline.queue.broker import send
from sightline.queue.jobs import Batch, BatchOutcome, Claim, Failure, Job, JobError
from sightline.queue.ledger import Ledger
from sightline.queue.messages import IndexBatch
from sightline.queue.sources import MigrationSource
from sightline.served import ServedCollections
from sightline_embedder.embedding import EmbeddingModel
from sightline_embedder.errors import DestinationsChanged, PointsGone
from sightline_embedder.indexing import BatchIndexer
from sightline_embedder.migrating.batches import MigrationBatches
from sightline_embedder.patience import FULL_DISK_PATIENCE_S, Patience
from sightline_embedder.stages import Telemetry

_log = structlog.get_logger(__name__)

MAX_STARTS = 3
"""A batch that was started this often without an outcome is split, until one picture is left."""

_NEVER_A_PICTURE = frozenset({FailureReason.NOT_AN_IMAGE, FailureReason.TRUNCATED, FailureReason.EMPTY})
"""Reasons that hold for these bytes whatever the settings: a retry needs no copy of them."""


class BatchFailed(Exception):
    """The batch failed by something other than its pictures and should be tried again."""


class BatchRunner:
    """Runs planned batches against the ledger. Safe to call from several threads.

    A start that ends without an outcome, be it by a defect of ours or because the process died, counts
    against the batch. After MAX_STARTS the batch is halved, and so on until the picture that does it
    is alone; that one is recorded as `internal`, and the others go through. A disk that is full for
    `full_disk_patience_s` fails the job.
    """

    def __init__(
        self,
        ledger: Ledger,
        broker: Celery,
        indexer: BatchIndexer,
        migrations: MigrationBatches,
        served: ServedCollections[EmbeddingModel],
        spec: CollectionSpec,
        media: MediaStore,
        min_free_bytes: int,
        telemetry: Telemetry,
        full_disk_patience_s: float = FULL_DISK_PATIENCE_S,
    ) -> None:
        self._telemetry = telemetry
        self._ledger = ledger
        self._broker = broker
        self._indexer = indexer
        self._migrations = migrations
        self._served = served
        self._spec = spec
        self._media = media
        self._min_free_bytes = min_free_bytes
        self._patience = Patience(full_disk_patience_s)
        self._ready_collections: set[str] = set()
        self._lock = Lock()

    def run(self, job_id: str, batch_id: str) -> None:
        """Run a batch that has no outcome yet and set its outcome.

        Raises Unavailable when a service is missing, ModelError when this embedder has not the model of
        the collection, and BatchFailed on a defect: all of them mean again, later.
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
            outcome = self._attempt(job, claim)
        elif len(claim.batch.items) > 1:
            self._split(job, claim.batch)
            return
        else:
            outcome = self._give_up(job, claim)
        with self._telemetry.tracer.span("record"):
            is_first = self._ledger.set_outcome(job_id, batch_id, outcome)
            self._discard_originals(job.request.collection, outcome)
        if is_first:
            self._telemetry.observer.outcome_recorded(outcome)
        _log.info(
            "batch_done",
            job_id=job_id,
            batch_id=batch_id,
            indexed=outcome.indexed,
            unchanged=outcome.unchanged,
            canceled=outcome.canceled,
            failed=len(outcome.failures),
        )

    def _attempt(self, job: Job, claim: Claim) -> BatchOutcome:
        batch = claim.batch
        try:
            check_room(self._media, self._min_free_bytes)
            outcome = self._work(job, batch)
        except StorageFull as error:
            if not self._patience.is_over(job.id):
                self._ledger.release(job.id, batch.id)
                raise
            # Somebody must make room first: say so, and do not fill the queue with vain attempts.
            self._ledger.stop(job.id, JobError(code="storage_full", detail=str(error)))
            return BatchOutcome(indexed=0, unchanged=0, canceled=len(batch.items))
        except (Unavailable, SpaceMismatch, ModelError):
            self._ledger.release(job.id, batch.id)
            raise
        except (PointsGone, DestinationsChanged, CollectionNotFound) as error:
            with self._lock:
                self._ready_collections.discard(job.request.collection)
            self._ledger.release(job.id, batch.id)
            raise BatchFailed(str(error)) from error
        except Exception as error:
            defect = f"{type(error).__name__}: {error}"
            self._ledger.note_defect(job.id, batch.id, defect)
            _log.exception("batch_failed", job_id=job.id, batch_id=batch.id)
            raise BatchFailed(defect) from error
        # Not before: a disk with room says nothing of a quota.
        self._patience.renew(job.id)
        return outcome

    def _work(self, job: Job, batch: Batch) -> BatchOutcome:
        source = job.request.source
        if isinstance(source, MigrationSource):
            return self._migrations.run(job, source, batch)
        self._ensure_collection(job.request.collection)
        return self._indexer.run(job, batch)

    def _give_up(self, job: Job, claim: Claim) -> BatchOutcome:
        source, outcome = job.request.source, _given_up(claim)
        if not isinstance(source, MigrationSource):
            return outcome
        return self._migrations.give_up(source, claim.batch, outcome)

    def _discard_originals(self, collection: str, outcome: BatchOutcome) -> None:
        """Forget the stored copies of bytes that will never be a picture.

        Only now that the outcome is set: a batch that runs again would find nothing to read.
        """
        for failure in outcome.failures:
            sha256 = failure.item.sha256
            if sha256 is not None and failure.reason in _NEVER_A_PICTURE:
                self._media.delete(collection, point_id(sha256), sha256)

    def _split(self, job: Job, batch: Batch) -> None:
        _log.warning("batch_split", job_id=job.id, batch_id=batch.id, pictures=len(batch.items))
        for half in self._ledger.split(job.id, batch):
            send(self._broker, IndexBatch(job_id=job.id, batch_id=half.id, origin=job.origin))

    def _ensure_collection(self, name: str) -> None:
        with self._lock:
            if name in self._ready_collections:
                return
        self._served.ensure(CollectionSpec(name, self._spec.space, self._spec.dimension, self._spec.fields))
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
