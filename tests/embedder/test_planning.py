"""Planning on a real ledger and queue: lazy, bounded, and resumable by anybody."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from celery import Celery
from redis import Redis

from sightline.errors import ModelError, SpaceMismatch, StorageFull, Unavailable
from sightline.index.edge.client import EdgeClient
from sightline.media import FolderMediaStore
from sightline.queue.duplicates import Duplicates
from sightline.queue.jobs import BatchOutcome, Job, JobRequest, JobState
from sightline.queue.ledger import Ledger
from sightline.queue.messages import Queue
from sightline.queue.migrations import Migrations
from sightline.queue.planning import PlanningLeases
from sightline.queue.sources import FolderSource, PictureRef, RecordedSource, SourceKind
from sightline.served import VersionsWritten
from sightline.settings import Settings
from sightline.writing import PointWriter
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.migrating.plan import MigrationPlan
from sightline_embedder.planning import MAX_STARTS, Planner, PlanningFailed
from sightline_embedder.recovery import rebuild_queue
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.steps import Step
from sightline_embedder.syncing import FolderSync

IN_FLIGHT = 3
LEASE_S = 30.0
WITHIN_S = 30.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(23):
        (tmp_path / f"{number:02}.jpg").write_bytes(b"x")
    return tmp_path


@pytest.fixture
def job_id(ledger: Ledger, folder: Path) -> str:
    source = FolderSource(path=str(folder))
    return ledger.create(JobRequest(collection="images", source=source)).id


def planner(redis: Redis, ledger: Ledger, broker: Celery, folder: Path, **options: Any) -> Planner:
    media = FolderMediaStore(folder / ".media")
    settings = Settings(data_dir=folder / ".data", import_roots=[folder])
    # None of these jobs is a sync, a scan or a migration, which would ask Redis and the index.
    index, nowhere = EdgeClient(folder / "no-index"), Migrations(Redis())
    writer = PointWriter(index, VersionsWritten(nowhere))
    sync = FolderSync(Redis(), index, writer, media, batch_pictures=4)
    return Planner(
        ledger,
        broker,
        PlanningLeases(redis, LEASE_S),
        opener=SourceOpener.of(settings, ledger, media, Remotes.of(settings)),
        sync=sync,
        scan=DuplicateScan(index, Duplicates(Redis(), timedelta(days=1))),
        migrations=MigrationPlan(index, nowhere, batch_pictures=4),
        batch_pictures=4,
        batches_in_flight=IN_FLIGHT,
        **({"portable": lambda *_: None} | options),
    )


def messages(redis: Redis, queue: Queue) -> list[dict[str, object]]:
    bodies = [json.loads(message) for message in redis.lrange(queue.value, 0, -1)]
    return [json.loads(_decoded(body))[1] for body in bodies]


def _decoded(message: dict[str, str]) -> bytes:

    return base64.b64decode(message["body"])


def finish_batches(ledger: Ledger, job_id: str) -> None:
    for batch_id in ledger.pending_batches(job_id):
        batch = ledger.batch(job_id, batch_id)
        assert batch is not None
        ledger.set_outcome(job_id, batch_id, BatchOutcome(indexed=len(batch.items), unchanged=0))


def test_no_more_than_allowed_is_in_flight(
    ledger: Ledger, broker: Celery, redis: Redis, folder: Path, job_id: str
) -> None:
    planner(redis, ledger, broker, folder).plan(job_id)

    assert ledger.plan_state(job_id).in_flight == IN_FLIGHT
    assert [one["batch_id"] for one in reversed(messages(redis, Queue.INGEST))] == ["0", "1", "2"]
    assert ledger.job(job_id).counts.total == 4 * IN_FLIGHT
    assert not ledger.job(job_id).total_known


def test_planning_that_takes_long_goes_on_with_another_message(
    ledger: Ledger, broker: Celery, redis: Redis, folder: Path, job_id: str
) -> None:
    planner(redis, ledger, broker, folder, planning_s=0.0, clock=lambda: 0.0).plan(job_id)

    assert ledger.plan_state(job_id).in_flight == 1
    assert messages(redis, Queue.PLAN) == [{"job_id": job_id}]


@pytest.mark.parametrize("same_planner", [True, False])
def test_every_picture_is_planned_once_whoever_goes_on(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path, job_id: str, same_planner: bool
) -> None:
    one = planner(redis, ledger, broker, folder)
    seen: list[str] = []
    while not ledger.job(job_id).state.final:
        (one if same_planner else planner(redis, ledger, broker, folder)).plan(job_id)
        for batch_id in ledger.pending_batches(job_id):
            batch = ledger.batch(job_id, batch_id)
            assert batch is not None
            seen += [item.uri for item in batch.items]
        finish_batches(ledger, job_id)

    assert seen == sorted(path.as_uri() for path in folder.iterdir())
    job = ledger.job(job_id)
    assert (job.state, job.counts.total, job.counts.indexed) == (JobState.SUCCEEDED, 23, 23)


def test_next_step_is_asked_for_when_half_of_the_room_is_free(
    ledger: Ledger, broker: Celery, redis: Redis, folder: Path, job_id: str
) -> None:
    one = planner(redis, ledger, broker, folder)
    one.plan(job_id)
    one.batch_ended(job_id)
    assert messages(redis, Queue.PLAN) == []

    finish_batches(ledger, job_id)
    one.batch_ended(job_id)
    assert messages(redis, Queue.PLAN) == [{"job_id": job_id}]


def test_folder_that_is_gone_fails_the_job_with_its_name(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path
) -> None:
    gone = FolderSource(path=str(folder / "gone"))
    job_id = ledger.create(JobRequest(collection="images", source=gone)).id
    planner(redis, ledger, broker, folder).plan(job_id)

    job = ledger.job(job_id)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "folder_unreadable"
    assert str(folder / "gone") in job.error.detail


def test_queue_is_rebuilt_from_the_ledger_whatever_was_in_it(
    ledger: Ledger, broker: Celery, redis: Redis, folder: Path, job_id: str
) -> None:
    planner(redis, ledger, broker, folder).plan(job_id)
    ledger.set_outcome(job_id, "1", BatchOutcome(indexed=4, unchanged=0))
    redis.delete(Queue.INGEST.value)
    redis.hset("unacked", "tag", "a message that nobody acknowledged")

    rebuild_queue(redis, broker, ledger, batches_in_flight=4)

    assert sorted(one["batch_id"] for one in messages(redis, Queue.INGEST)) == ["0", "2"]  # type: ignore[type-var]
    assert messages(redis, Queue.PLAN) == [{"job_id": job_id}]
    assert not redis.exists("unacked")


def test_recorded_pictures_are_planned_in_their_order(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path
) -> None:
    refs = [PictureRef(kind=SourceKind.URL, uri=f"https://a/{number}") for number in range(9)]
    job_id = ledger.create(JobRequest(collection="images", source=RecordedSource(kind="urls")), refs).id

    planner(redis, ledger, broker, folder).plan(job_id)

    batches = [ledger.batch(job_id, batch_id) for batch_id in ledger.pending_batches(job_id)]
    assert [item.uri for batch in batches if batch for item in batch.items] == [ref.uri for ref in refs]


class Archive:
    """A source of 200 steps of which opening takes a while, so that two planners meet over it."""

    def __init__(self) -> None:
        self.opened = 0
        self.is_opening, self.may_go_on = Event(), Event()

    def steps(self, job: Job, cursor: str | None) -> Iterator[Step]:
        self.opened += 1
        self.is_opening.set()
        assert self.may_go_on.wait(WITHIN_S)
        ref = PictureRef(kind=SourceKind.URL, uri="https://a/b")
        for number in range(int(cursor or 0), 200):
            yield Step(str(number + 1), [ref])


def test_two_planners_do_not_open_the_same_source(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path, job_id: str
) -> None:
    archive = Archive()
    one, other = (planner(redis, ledger, broker, folder, portable=archive.steps) for _ in range(2))
    with ThreadPoolExecutor(1) as pool:
        planning = pool.submit(one.plan, job_id)
        assert archive.is_opening.wait(WITHIN_S)
        other.plan(job_id)
        assert messages(redis, Queue.PLAN) == []
        archive.may_go_on.set()
        planning.result()

    assert archive.opened == 1
    assert messages(redis, Queue.PLAN) == [{"job_id": job_id}], "what it was asked for is not forgotten"


def test_a_planner_that_fails_lets_others_plan(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path, job_id: str
) -> None:
    def away(*_: Any) -> Iterator[Step]:
        raise Unavailable("the index", "it is away")

    with pytest.raises(Unavailable):
        planner(redis, ledger, broker, folder, portable=away).plan(job_id)
    planner(redis, ledger, broker, folder).plan(job_id)

    assert ledger.plan_state(job_id).in_flight == IN_FLIGHT


class Died(BaseException):
    """What a kill is to whoever is killed."""


def broken(fault: BaseException, steps: int = 0) -> Any:
    """A source of 20 pictures, of which whoever opens it gets so many before the fault."""
    ref = PictureRef(kind=SourceKind.URL, uri="https://a/b")

    def open_at(_: Job, cursor: str | None) -> Iterator[Step]:
        first = int(cursor or 0)
        for number in range(first, min(first + steps, 20)):
            yield Step(str(number + 1), [ref])
        if first + steps < 20:
            raise fault

    return open_at


def test_a_source_that_fails_by_a_defect_fails_its_job_in_the_end(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path, job_id: str
) -> None:
    one = planner(redis, ledger, broker, folder, portable=broken(ZeroDivisionError("a defect")))
    for _ in range(MAX_STARTS):
        with pytest.raises(PlanningFailed, match="ZeroDivisionError: a defect"):
            one.plan(job_id)
        assert not ledger.job(job_id).state.final
    one.plan(job_id)

    job = ledger.job(job_id)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "internal"
    assert f"failed {MAX_STARTS} times" in job.error.detail
    assert "ZeroDivisionError: a defect" in job.error.detail
    assert not redis.exists(f"sightline:job:{job_id}:starts")


def test_a_source_that_ends_its_embedder_fails_its_job_without_a_word_from_it(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path, job_id: str
) -> None:
    for _ in range(MAX_STARTS):
        with pytest.raises(Died):
            planner(redis, ledger, broker, folder, portable=broken(Died())).plan(job_id)
    planner(redis, ledger, broker, folder, portable=broken(Died())).plan(job_id)

    job = ledger.job(job_id)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "internal"
    assert f"ended the embedder or failed {MAX_STARTS} times" in job.error.detail


def test_what_was_planned_before_the_picture_that_does_it_goes_in(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path, job_id: str
) -> None:
    def two_and_a_defect(job: Job, cursor: str | None) -> Iterator[Step]:
        return broken(ZeroDivisionError("a defect"), 0 if cursor else 2)(job, cursor)

    one = planner(redis, ledger, broker, folder, portable=two_and_a_defect)
    for _ in range(MAX_STARTS):
        with pytest.raises(PlanningFailed):
            one.plan(job_id)
    one.plan(job_id)
    finish_batches(ledger, job_id)

    job = ledger.job(job_id)
    assert (job.state, job.counts.total, job.counts.indexed) == (JobState.FAILED, 2, 2)


def test_planning_that_gets_on_is_not_blamed_however_often_its_embedder_ends(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path, job_id: str
) -> None:
    deaths = 0
    while not ledger.job(job_id).state.final:
        try:
            planner(redis, ledger, broker, folder, portable=broken(Died(), 1)).plan(job_id)
        except Died:
            deaths += 1
        finish_batches(ledger, job_id)

    assert deaths == 19
    assert (ledger.job(job_id).state, ledger.job(job_id).counts.indexed) == (JobState.SUCCEEDED, 20)


@pytest.mark.parametrize(
    "fault",
    [
        Unavailable("the index", "it is away"),
        StorageFull("the media store", "it is full"),
        SpaceMismatch("images", "one", "another"),
        ModelError("There is no model."),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_a_fault_that_may_pass_is_never_blamed_on_the_source(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path, job_id: str, fault: Exception
) -> None:
    for _ in range(MAX_STARTS + 2):
        with pytest.raises(type(fault)):
            planner(redis, ledger, broker, folder, portable=broken(fault)).plan(job_id)
    planner(redis, ledger, broker, folder).plan(job_id)

    assert ledger.plan_state(job_id).in_flight == IN_FLIGHT


class Download:
    """A source that takes so long that its embedder is told to stop, and killed."""

    planner: Planner

    def steps(self, *_: Any) -> Iterator[Step]:
        self.planner.give_back_starts()
        raise Died


def test_a_source_is_not_blamed_for_embedders_that_are_told_to_stop(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path, job_id: str
) -> None:
    download = Download()
    for _ in range(MAX_STARTS + 2):
        download.planner = planner(redis, ledger, broker, folder, portable=download.steps)
        with pytest.raises(Died):
            download.planner.plan(job_id)
    planner(redis, ledger, broker, folder).plan(job_id)

    assert ledger.plan_state(job_id).in_flight == IN_FLIGHT


def test_turns_without_room_are_not_counted(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path, job_id: str
) -> None:
    one = planner(redis, ledger, broker, folder)
    for _ in range(MAX_STARTS + 2):
        one.plan(job_id)
    assert ledger.plan_state(job_id).in_flight == IN_FLIGHT

    while not ledger.job(job_id).state.final:
        finish_batches(ledger, job_id)
        one.plan(job_id)

    assert ledger.job(job_id).state is JobState.SUCCEEDED


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_embedders_that_take_turns_do_not_do_everything_again_and_again(
    ledger: Ledger, redis: Redis, broker: Celery, folder: Path, job_id: str
) -> None:
    clock, steps = Clock(), 500

    def scan(job: Job, cursor: str | None) -> Iterator[Step]:
        clock.now += int(cursor or 0)  # A second for each step that another embedder did.
        for number in range(int(cursor or 0), steps):
            clock.now += 1
            yield Step(str(number + 1), unchanged=1)

    while not ledger.job(job_id).state.final:
        planner(redis, ledger, broker, folder, portable=scan, clock=clock).plan(job_id)

    assert ledger.job(job_id).counts.unchanged == steps
    assert clock.now < 4 * steps
