"""What becomes of a batch when something other than its pictures is wrong."""

from typing import Any, cast

import pytest

from sightline.errors import FailureReason, Unavailable
from sightline.index import CollectionSpec, VectorIndex
from sightline.payload import INDEXED_FIELDS
from sightline.queue.jobs import Batch, BatchOutcome, Job, JobRequest, JobState
from sightline.queue.ledger import Ledger
from sightline.queue.messages import Item, UploadSource
from sightline_embedder.batches import MAX_ATTEMPTS, BatchFailed, BatchRunner
from sightline_embedder.indexing import BatchIndexer

SPEC = CollectionSpec("images", "model@0123456789abcdef", 4, INDEXED_FIELDS)


class Indexer:
    """Does what it is told, and counts how often."""

    def __init__(self, *does: BatchOutcome | Exception) -> None:
        self.does = list(does)
        self.runs = 0

    def run(self, job: Job, batch: Batch) -> BatchOutcome:
        self.runs += 1
        result = self.does[min(self.runs, len(self.does)) - 1]
        if isinstance(result, Exception):
            raise result
        return result


class Index:
    """An index whose collections are always there."""

    def ensure_collection(self, spec: CollectionSpec) -> None:
        assert spec.space == SPEC.space


def runner(ledger: Ledger, indexer: Indexer) -> BatchRunner:
    return BatchRunner(ledger, cast(BatchIndexer, indexer), cast(VectorIndex, Index()), SPEC)


@pytest.fixture
def job_id(ledger: Ledger) -> str:
    job = ledger.create(JobRequest(collection="images", source=UploadSource(files=())))
    items = tuple(Item(number=number, uri=f"upload:{number}", sha256="0" * 64) for number in range(3))
    ledger.plan_batch(job.id, Batch(id=0, items=items), "2")
    ledger.end_listing(job.id)
    return job.id


DONE = BatchOutcome(indexed=3, unchanged=0)


def test_a_batch_with_an_outcome_is_not_run_again(ledger: Ledger, job_id: str) -> None:
    indexer = Indexer(DONE)
    for _ in range(3):
        runner(ledger, indexer).run(job_id, 0)

    assert indexer.runs == 1
    assert ledger.job(job_id).counts.indexed == 3


def test_a_missing_service_is_never_blamed_on_a_picture(ledger: Ledger, job_id: str) -> None:
    indexer = Indexer(*[Unavailable("the index", "gone")] * (MAX_ATTEMPTS + 2), DONE)
    for _ in range(MAX_ATTEMPTS + 2):
        with pytest.raises(Unavailable):
            runner(ledger, indexer).run(job_id, 0)
    runner(ledger, indexer).run(job_id, 0)

    assert ledger.job(job_id).state is JobState.SUCCEEDED


def test_a_defect_is_tried_again_and_then_recorded_for_every_picture(ledger: Ledger, job_id: str) -> None:
    indexer = Indexer(ZeroDivisionError("a defect"))
    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(BatchFailed):
            runner(ledger, indexer).run(job_id, 0)
    runner(ledger, indexer).run(job_id, 0)

    job = ledger.job(job_id)
    assert job.state is JobState.FAILED
    assert job.failures_by_reason == {FailureReason.INTERNAL: 3}
    (failure, *_) = ledger.failures(job_id, reason=None, after=-1, limit=1)
    assert "ZeroDivisionError: a defect" in failure.detail
    assert failure.attempts == MAX_ATTEMPTS


def test_a_job_whose_record_expired_is_let_go(ledger: Ledger) -> None:
    indexer: Any = Indexer(DONE)
    runner(ledger, indexer).run("gone", 0)
    assert indexer.runs == 0
