"""What becomes of a batch when something other than its pictures is wrong."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest
from celery import Celery
from redis import Redis

from sightline.errors import FailureReason, StorageFull, Unavailable
from sightline.index import CollectionSpec
from sightline.media import FolderMediaStore
from sightline.payload import INDEXED_FIELDS
from sightline.queue.jobs import Batch, BatchOutcome, Job, JobRequest, JobState
from sightline.queue.ledger import Ledger
from sightline.queue.messages import Queue
from sightline.queue.sources import Item, RecordedSource, SourceKind
from sightline.served import ServedCollections
from sightline.tracing import NO_TRACES
from sightline_embedder.batches import MAX_STARTS, BatchFailed, BatchRunner
from sightline_embedder.embedding import EmbeddingModel
from sightline_embedder.errors import EncoderBroken, PointsGone
from sightline_embedder.indexing import BatchIndexer
from sightline_embedder.metrics import EmbedderMetrics
from sightline_embedder.migrating.batches import MigrationBatches
from sightline_embedder.stages import Telemetry

SPEC = CollectionSpec("images", "model@0123456789abcdef", 4, INDEXED_FIELDS)


Run: TypeAlias = Callable[..., None]
RunnerOf: TypeAlias = Callable[..., BatchRunner]


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


class Collections:
    """Collections that are always there."""

    def ensure(self, spec: CollectionSpec) -> None:
        assert spec.space == SPEC.space


class NoMigration:
    """None of these jobs is one."""


@pytest.fixture
def metrics() -> EmbedderMetrics:
    return EmbedderMetrics()


@pytest.fixture
def runner_of(ledger: Ledger, broker: Celery, metrics: EmbedderMetrics, tmp_path: Path) -> RunnerOf:
    def runner_of(indexer: Indexer, *storage: float) -> BatchRunner:
        served, media = cast("ServedCollections[EmbeddingModel]", Collections()), FolderMediaStore(tmp_path)
        min_free_bytes, *patience = storage or (0,)
        return BatchRunner(
            ledger,
            broker,
            cast(BatchIndexer, indexer),
            cast(MigrationBatches, NoMigration()),
            served,
            SPEC,
            media,
            int(min_free_bytes),
            Telemetry(metrics, NO_TRACES),
            *patience,
        )

    return runner_of


@pytest.fixture
def run(runner_of: RunnerOf) -> Run:
    def run(indexer: Indexer, job_id: str, batch_id: str, *storage: float) -> None:
        runner_of(indexer, *storage).run(job_id, batch_id)

    return run


@pytest.fixture
def job_id(ledger: Ledger) -> str:
    job = ledger.create(JobRequest(collection="images", source=RecordedSource(kind="upload")))
    items = tuple(Item(number=number, kind=SourceKind.UPLOAD, uri=f"upload:{number}") for number in range(3))
    ledger.plan_batch(job.id, Batch(id="0", items=items), "2")
    ledger.end_listing(job.id)
    return job.id


BROKEN = EncoderBroken("clip", "openvino-bf16", RuntimeError("no primitive"))
DONE = BatchOutcome(indexed=3, unchanged=0)


def test_a_batch_with_an_outcome_is_not_run_again(ledger: Ledger, run: Run, job_id: str) -> None:
    indexer = Indexer(DONE)
    for _ in range(3):
        run(indexer, job_id, "0")

    assert indexer.runs == 1
    assert ledger.job(job_id).counts.indexed == 3


@pytest.mark.parametrize("error", [Unavailable("the index", "gone"), PointsGone(2), BROKEN])
def test_what_is_no_fault_of_the_batch_is_never_blamed_on_a_picture(
    ledger: Ledger, run: Run, job_id: str, error: Exception
) -> None:
    indexer = Indexer(*[error] * (MAX_STARTS + 2), DONE)
    for _ in range(MAX_STARTS + 2):
        with pytest.raises((Unavailable, BatchFailed, EncoderBroken)):
            run(indexer, job_id, "0")
    run(indexer, job_id, "0")

    assert ledger.job(job_id).state is JobState.SUCCEEDED


class Poisoned(Indexer):
    """Fails by a defect on one picture, as often as it meets it."""

    def run(self, job: Job, batch: Batch) -> BatchOutcome:
        if any(item.number == 1 for item in batch.items):
            raise ZeroDivisionError("a defect")
        return BatchOutcome(indexed=len(batch.items), unchanged=0)


def test_the_picture_that_fails_its_batch_is_found_and_the_others_go_through(
    ledger: Ledger, redis: Redis, run: Run, job_id: str
) -> None:
    while not ledger.job(job_id).state.final:
        for batch_id in ledger.pending_batches(job_id):
            with suppress(BatchFailed):
                run(Poisoned(), job_id, batch_id)

    job = ledger.job(job_id)
    assert (job.state, job.counts.indexed, job.counts.failed) == (JobState.PARTIAL, 2, 1)
    (failure,) = ledger.failures(job_id, reason=FailureReason.INTERNAL)
    assert failure.item.uri == "upload:1"
    assert "ZeroDivisionError: a defect" in failure.detail
    assert failure.attempts == MAX_STARTS
    assert redis.llen(Queue.INGEST.value) == 4  # a message for each half of each split


def test_a_picture_that_ends_the_process_is_found_without_a_word_from_it(
    ledger: Ledger, run: Run, job_id: str
) -> None:
    whole = ledger.batch(job_id, "0")
    assert whole is not None
    good, bad = ledger.split(job_id, whole)[0], ledger.split(job_id, Batch(id="0b", items=whole.items[1:]))[0]
    for _ in range(MAX_STARTS):
        ledger.claim(job_id, bad.id)
    for batch_id in ledger.pending_batches(job_id):
        run(Indexer(BatchOutcome(indexed=1, unchanged=0)), job_id, batch_id)

    job = ledger.job(job_id)
    assert good.id != bad.id
    assert (job.counts.indexed, job.failures_by_reason) == (2, {FailureReason.INTERNAL: 1})
    (failure,) = ledger.failures(job_id, reason=None)
    assert f"ended {MAX_STARTS} times" in failure.detail


def test_a_disk_that_stays_full_fails_the_job_and_blames_no_picture(
    ledger: Ledger, run: Run, job_id: str
) -> None:
    run(Indexer(DONE), job_id, "0", 1 << 60, 0.0)

    job = ledger.job(job_id)
    assert (job.state, job.counts.canceled, job.counts.failed) == (JobState.FAILED, 3, 0)
    assert job.error is not None
    assert job.error.code == "storage_full"
    assert "SIGHTLINE_MIN_FREE_BYTES" in job.error.detail


def test_a_store_that_is_full_by_a_quota_fails_the_job_though_its_disk_has_room(
    ledger: Ledger, runner_of: RunnerOf, job_id: str
) -> None:
    runner = runner_of(Indexer(StorageFull("The media store", "its quota is used up")), 0, 0.05)
    for _ in range(1000):
        if ledger.job(job_id).state.final:
            break
        with suppress(StorageFull):
            runner.run(job_id, "0")

    job = ledger.job(job_id)
    assert (job.state, job.counts.canceled, job.counts.failed) == (JobState.FAILED, 3, 0)
    assert job.error is not None
    assert job.error.code == "storage_full"
    assert "its quota is used up" in job.error.detail


def test_a_disk_that_has_room_again_in_time_costs_nothing(ledger: Ledger, run: Run, job_id: str) -> None:
    with pytest.raises(StorageFull):
        run(Indexer(DONE), job_id, "0", 1 << 60, 60.0)
    run(Indexer(DONE), job_id, "0")

    assert ledger.job(job_id).state is JobState.SUCCEEDED


def test_a_job_whose_record_expired_is_let_go(run: Run) -> None:
    indexer: Any = Indexer(DONE)
    run(indexer, "gone", "0")
    assert indexer.runs == 0


def test_a_batch_that_runs_twice_is_counted_once(
    ledger: Ledger, run: Run, job_id: str, metrics: EmbedderMetrics
) -> None:
    class Overtaken(Indexer):
        """Another embedder, which was given the batch as well, is done first."""

        def run(self, job: Job, batch: Batch) -> BatchOutcome:
            run(Indexer(DONE), job_id, "0")
            return DONE

    run(Overtaken(), job_id, "0")

    assert metrics.registry.get_sample_value("sightline_pictures_total", {"outcome": "indexed"}) == 3
