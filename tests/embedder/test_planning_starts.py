"""How often planning is started: when its job is given up, and which ends are not its source's fault."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from planner_by_hand import IN_FLIGHT, finish_batches, planner
from redis import Redis

from sightline.errors import ModelError, SpaceMismatch, StorageFull, Unavailable
from sightline.queue.jobs import Job, JobState
from sightline.queue.ledger import Ledger
from sightline.queue.sources import PictureRef, SourceKind
from sightline_embedder.planning import MAX_STARTS, Planner, PlanningFailed
from sightline_embedder.steps import Step


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
