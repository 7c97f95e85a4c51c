"""Lists of jobs and of failures: in order, page by page, and quick whatever they leave out."""

from typing import Any

import pytest
from ledger_jobs import REQUEST, failure, job_with_failures, plan
from redis import Redis

from sightline.errors import FailureReason
from sightline.queue.jobs import (
    BatchOutcome,
    JobState,
)
from sightline.queue.ledger import Ledger
from sightline.queue.pages import page_of_failures, page_of_jobs


def pages_read(redis: Redis) -> int:
    """How often Redis was asked for failures."""
    about: Any = redis.info("commandstats")
    calls: int = about.get("cmdstat_zrangebyscore", {"calls": 0})["calls"]
    return calls


def test_failures_come_in_order_of_listing_page_by_page_and_by_reason(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    batch = plan(ledger, job, 10)
    reasons = [FailureReason.EMPTY if number % 2 else FailureReason.TRUNCATED for number in range(10)]
    failures = tuple(failure(number, reason) for number, reason in enumerate(reasons))
    ledger.set_outcome(job.id, batch.id, BatchOutcome(indexed=0, unchanged=0, failures=failures))

    first = page_of_failures(ledger, job.id, reason=None, after=-1, limit=4)[0]
    second = page_of_failures(ledger, job.id, reason=None, after=first[-1].item.number, limit=4)[0]
    odd = page_of_failures(ledger, job.id, reason=FailureReason.EMPTY, after=3, limit=2)[0]

    assert [one.item.number for one in first] == [0, 1, 2, 3]
    assert [one.item.number for one in second] == [4, 5, 6, 7]
    assert [one.item.number for one in odd] == [5, 7]


def test_failures_of_a_rare_reason_take_a_round_trip_for_hundreds_of_others(
    ledger: Ledger, redis: Redis
) -> None:
    job = job_with_failures(ledger, 2_000, rare=1_999)
    before = pages_read(redis)

    (found,) = ledger.failures(job.id, reason=FailureReason.EMPTY)

    assert found.item.number == 1_999
    assert pages_read(redis) - before <= 5


def test_a_page_of_failures_looks_at_so_many_and_says_where_to_go_on(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.queue.pages.MOST_FAILURES_LOOKED_AT", 3)
    job = job_with_failures(ledger, 8, rare=5)

    def page(after: int) -> tuple[list[int], int | None]:
        found, on = page_of_failures(ledger, job.id, reason=FailureReason.EMPTY, after=after, limit=2)
        return [one.item.number for one in found], on

    assert page(-1) == ([], 2)
    assert page(2) == ([5], 5)
    assert page(5) == ([], None)


def test_jobs_are_listed_newest_first_and_page_by_page(ledger: Ledger) -> None:
    jobs = [ledger.create(REQUEST) for _ in range(5)]
    ledger.end_listing(jobs[1].id)
    newest_first = [job.id for job in reversed(jobs)]

    first, last = page_of_jobs(ledger, state=None, before=None, limit=2)
    rest, end = page_of_jobs(ledger, state=None, before=last, limit=3)
    ended, _ = page_of_jobs(ledger, state=JobState.SUCCEEDED, before=None, limit=10)

    assert [job.id for job in first] == newest_first[:2]
    assert [job.id for job in rest] == newest_first[2:]
    assert [job.id for job in ended] == [jobs[1].id]
    assert end is None


def test_a_page_of_jobs_looks_at_so_many_and_says_where_to_go_on(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.queue.pages.MOST_JOBS_LOOKED_AT", 3)
    jobs = [ledger.create(REQUEST) for _ in range(5)]
    ledger.end_listing(jobs[0].id)

    found, on = page_of_jobs(ledger, state=JobState.SUCCEEDED, before=None, limit=2)
    assert (found, on) == ([], jobs[2].id)
    found, on = page_of_jobs(ledger, state=JobState.SUCCEEDED, before=on, limit=2)
    assert ([job.id for job in found], on) == ([jobs[0].id], None)
