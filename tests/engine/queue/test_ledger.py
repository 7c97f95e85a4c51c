"""The ledger against a real Redis: counts that add up, however often things happen."""

import random
from threading import Thread

import pytest
from ledger_jobs import REQUEST, failure, item, job_with_failures, plan
from redis import Redis

from sightline.errors import FailureReason, IdempotencyKeyReused, JobNotFound, Unavailable
from sightline.queue.connection import connect_redis
from sightline.queue.jobs import (
    PLANNING,
    Batch,
    BatchOutcome,
    IdempotencyKey,
    JobError,
    JobRequest,
    JobState,
    PlanningStart,
)
from sightline.queue.ledger import Ledger
from sightline.queue.pages import page_of_failures
from sightline.queue.sources import PictureRef, RecordedSource, SourceKind


def test_new_job_is_queued_and_active(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)

    assert job.state is JobState.QUEUED
    assert job.request == REQUEST
    assert job.counts.total == 0
    assert not job.total_known
    assert ledger.active() == [job.id]


def test_planning_counts_and_remembers_where_it_stands(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    batch = plan(ledger, job, 3)

    state = ledger.plan_state(job.id)
    assert (state.next_batch, state.next_number, state.in_flight) == (1, 3, 1)
    assert state.cursor == "file:///2"
    assert ledger.batch(job.id, "0") == batch
    assert ledger.job(job.id).state is JobState.RUNNING


def test_two_planners_cannot_plan_the_same_batch(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    batch = plan(ledger, job, 3)

    assert not ledger.plan_batch(job.id, batch, cursor="other")
    assert ledger.job(job.id).counts.total == 3
    assert ledger.plan_state(job.id).cursor == "file:///2"


def test_outcome_is_set_once_however_often_the_batch_runs(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    batch = plan(ledger, job, 3)
    outcome = BatchOutcome(indexed=1, unchanged=1, failures=(failure(2),))

    assert ledger.set_outcome(job.id, batch.id, outcome)
    assert not ledger.set_outcome(job.id, batch.id, outcome)

    counts = ledger.job(job.id).counts
    assert (counts.indexed, counts.unchanged, counts.failed, counts.pending) == (1, 1, 1, 0)
    assert ledger.batch(job.id, batch.id) is None


@pytest.mark.parametrize(
    ("indexed", "failed", "state"),
    [(2, 0, JobState.SUCCEEDED), (1, 1, JobState.PARTIAL), (0, 2, JobState.FAILED)],
)
def test_job_ends_when_listing_and_every_batch_have_ended(
    ledger: Ledger, indexed: int, failed: int, state: JobState
) -> None:
    job = ledger.create(REQUEST)
    batch = plan(ledger, job, 2)
    ledger.end_listing(job.id)
    assert not ledger.job(job.id).state.final

    failures = tuple(failure(number) for number in range(failed))
    ledger.set_outcome(job.id, batch.id, BatchOutcome(indexed=indexed, unchanged=0, failures=failures))

    ended = ledger.job(job.id)
    assert ended.state is state
    assert ended.finished_at is not None
    assert ledger.active() == []


def test_job_of_an_empty_source_succeeds(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    ledger.end_listing(job.id)

    assert ledger.job(job.id).state is JobState.SUCCEEDED


def test_source_that_cannot_be_listed_fails_the_job_and_not_a_picture(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    ledger.end_listing(job.id, JobError(code="folder_unreadable", detail="why"))

    ended = ledger.job(job.id)
    assert ended.state is JobState.FAILED
    assert ended.error == JobError(code="folder_unreadable", detail="why")
    assert ended.counts.failed == 0


def test_nothing_is_planned_after_the_end(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    ledger.end_listing(job.id)

    late = Batch(id="0", items=(item(0),))
    assert not ledger.plan_batch(job.id, late, cursor="x")
    assert ledger.job(job.id).counts.total == 0


def test_counts_add_up_at_every_moment_under_concurrent_outcomes(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    batches = [plan(ledger, job, 4) for _ in range(40)]
    ledger.end_listing(job.id)
    chaos = random.Random(7)
    todo = batches * 2
    chaos.shuffle(todo)

    def work(mine: list[Batch]) -> None:
        for batch in mine:
            bad = failure(batch.items[0].number)
            ledger.set_outcome(job.id, batch.id, BatchOutcome(indexed=2, unchanged=1, failures=(bad,)))

    threads = [Thread(target=work, args=(todo[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        counts = ledger.job(job.id).counts
        assert counts.pending >= 0
        assert counts.done + counts.pending == counts.total == 160
    for thread in threads:
        thread.join()

    ended = ledger.job(job.id)
    assert (ended.counts.indexed, ended.counts.unchanged, ended.counts.failed) == (80, 40, 40)
    assert ended.failures_by_reason == {FailureReason.TRUNCATED: 40}


def test_stopped_job_cancels_what_nobody_started_and_waits_for_the_rest(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    running, waiting = plan(ledger, job, 3), plan(ledger, job, 4)
    assert ledger.claim(job.id, running.id) is not None

    ledger.stop(job.id)

    assert ledger.claim(job.id, waiting.id) is None
    counts = ledger.job(job.id).counts
    assert (counts.canceled, counts.pending) == (4, 3)
    assert not ledger.plan_batch(job.id, Batch(id="2", items=(item(7),)), cursor="x")
    ledger.set_outcome(job.id, running.id, BatchOutcome(indexed=3, unchanged=0))
    ended = ledger.job(job.id)
    assert (ended.state, ended.counts.indexed, ended.counts.canceled) == (JobState.CANCELED, 3, 4)
    assert ledger.active() == []


def test_batch_whose_worker_died_is_canceled_when_it_comes_back(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    batch = plan(ledger, job, 3)
    ledger.claim(job.id, batch.id)
    ledger.stop(job.id)
    assert not ledger.job(job.id).state.final

    assert ledger.claim(job.id, batch.id) is None

    ended = ledger.job(job.id)
    assert (ended.state, ended.counts.canceled) == (JobState.CANCELED, 3)


def test_stop_with_an_error_fails_the_job_and_an_ended_one_stays(ledger: Ledger) -> None:
    job, done = ledger.create(REQUEST), ledger.create(REQUEST)
    plan(ledger, job, 2)
    ledger.end_listing(done.id)
    error = JobError(code="storage_full", detail="why")

    ledger.stop(job.id, error)
    ledger.stop(done.id, error)

    assert (ledger.job(job.id).state, ledger.job(job.id).error) == (JobState.FAILED, error)
    assert ledger.job(done.id).state is JobState.SUCCEEDED


def test_starts_are_counted_released_and_remember_their_defect(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    batch = plan(ledger, job, 2)

    first = ledger.claim(job.id, batch.id)
    ledger.note_defect(job.id, batch.id, "ValueError: why")
    second = ledger.claim(job.id, batch.id)
    ledger.release(job.id, batch.id)
    third = ledger.claim(job.id, batch.id)

    assert first
    assert second
    assert third
    assert (first.starts, second.starts, third.starts) == (1, 2, 2)
    assert (first.defect, third.defect) == (None, "ValueError: why")


def test_starts_of_planning_are_counted_from_where_it_last_got_on(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)

    first = ledger.start_planning(job.id)
    ledger.note_defect(job.id, PLANNING, "ValueError: why")
    second = ledger.start_planning(job.id)
    plan(ledger, job, 2)
    third = ledger.start_planning(job.id)
    ledger.release(job.id, PLANNING)
    ledger.release(job.id, PLANNING)
    fourth = ledger.start_planning(job.id)

    assert first == PlanningStart(starts=1, defect=None)
    assert second == PlanningStart(starts=2, defect="ValueError: why")
    assert third == PlanningStart(starts=2, defect=None)
    assert fourth == PlanningStart(starts=1, defect=None)


def test_planning_of_a_job_that_ended_meanwhile_is_not_started_and_leaves_nothing(
    ledger: Ledger, redis: Redis
) -> None:
    job = ledger.create(REQUEST)
    assert ledger.start_planning(job.id) is not None

    ledger.stop(job.id)
    ledger.note_defect(job.id, PLANNING, "ValueError: why")
    ledger.release(job.id, PLANNING)

    assert ledger.start_planning(job.id) is None
    assert ledger.start_planning("0" * 24) is None
    assert not redis.exists(f"sightline:job:{job.id}:starts")


def test_batch_split_to_the_last_picture_still_adds_up(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    whole = plan(ledger, job, 5)
    ledger.end_listing(job.id)

    todo = [whole]
    while todo:
        batch = todo.pop()
        if len(batch.items) > 1:
            todo += ledger.split(job.id, batch)
            assert ledger.split(job.id, batch) == ()
        else:
            ledger.set_outcome(job.id, batch.id, BatchOutcome(indexed=1, unchanged=0))
        assert ledger.job(job.id).counts.total == 5

    assert ledger.job(job.id).state is JobState.SUCCEEDED
    assert ledger.job(job.id).counts.indexed == 5


def test_pictures_without_work_count_as_unchanged(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    assert ledger.plan_batch(
        job.id, Batch(id="0", items=()), cursor="x", done=BatchOutcome(indexed=0, unchanged=7)
    )

    counts = ledger.job(job.id).counts
    assert (counts.total, counts.unchanged, counts.pending) == (7, 7, 0)
    assert ledger.plan_state(job.id).in_flight == 0


def test_recorded_pictures_come_back_by_their_place(ledger: Ledger) -> None:
    refs = [PictureRef(kind=SourceKind.URL, uri=f"https://a/{number}") for number in range(1203)]
    job = ledger.create(JobRequest(collection="images", source=RecordedSource(kind="urls")), iter(refs))

    assert ledger.refs(job.id, 0, 2000) == refs
    assert ledger.refs(job.id, 1200, 100) == refs[1200:]


def test_an_idempotency_key_makes_one_job(ledger: Ledger) -> None:
    key = IdempotencyKey(key="k", body="b")
    assert ledger.made_under(key) is None
    made: list[str] = []
    threads = [Thread(target=lambda: made.append(ledger.create(REQUEST, (), key).id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 8
    assert len(set(made)) == 1 == ledger.active_count()
    assert ledger.create(REQUEST, (), IdempotencyKey(key="other", body="b")).id not in made
    earlier = ledger.made_under(key)
    assert earlier
    assert [earlier.id] == ledger.active()[:1]
    for ask in (ledger.made_under, lambda other: ledger.create(REQUEST, (), other)):
        with pytest.raises(IdempotencyKeyReused):
            ask(IdempotencyKey(key="k", body="another"))


def test_unknown_job_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(JobNotFound):
        ledger.job("none")
    with pytest.raises(JobNotFound):
        page_of_failures(ledger, "none", reason=None, after=-1, limit=1)


@pytest.mark.parametrize(
    "part", [":reasons", ":failures", ":refs", ":batches", ":starts", ":none", "\ud800", "0"]
)
def test_what_no_job_can_be_called_names_no_other_key(ledger: Ledger, part: str) -> None:
    job = job_with_failures(ledger, 3, rare=1)
    with pytest.raises(JobNotFound):
        ledger.job(job.id + part)
    assert ledger.job(job.id).id == job.id


def test_missing_redis_is_unavailable_and_not_a_hang() -> None:
    from datetime import timedelta

    ledger = Ledger(connect_redis("redis://127.0.0.1:1/0"), timedelta(days=1))
    with pytest.raises(Unavailable, match="Redis"):
        ledger.create(REQUEST)
