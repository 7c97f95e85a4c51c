"""Planning on a real ledger and queue: lazy, bounded, and resumable by anybody."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from celery import Celery
from planner_by_hand import IN_FLIGHT, finish_batches, messages, planner
from redis import Redis

from sightline.errors import Unavailable
from sightline.queue.jobs import BatchOutcome, Job, JobRequest, JobState
from sightline.queue.ledger import Ledger
from sightline.queue.messages import Queue
from sightline.queue.sources import FolderSource, PictureRef, RecordedSource, SourceKind
from sightline_embedder.recovery import rebuild_queue
from sightline_embedder.steps import Step

WITHIN_S = 30.0


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
