"""Lists of jobs and of failures: in order, page by page, and quick whatever they leave out."""

from itertools import islice
from typing import Any

import pytest
from ledger_jobs import REQUEST, failure, job_with_failures, plan
from redis import Redis

from sightline.errors import FailureReason
from sightline.queue.job_records import JOBS
from sightline.queue.jobs import (
    BatchOutcome,
    Job,
    JobState,
)
from sightline.queue.ledger import Ledger
from sightline.queue.pages import page_of_failures, page_of_jobs

OTHERS = REQUEST.model_copy(update={"collection": "others"})


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
    assert (found, on) == ([], round(jobs[2].created_at.timestamp() * 10**6))
    found, on = page_of_jobs(ledger, state=JobState.SUCCEEDED, before=on, limit=2)
    assert ([job.id for job in found], on) == ([jobs[0].id], None)


def mixed_jobs(ledger: Ledger, redis: Redis) -> list[Job]:
    """Jobs of two collections, newest first, some of them made in the same microsecond."""
    jobs = [ledger.create(OTHERS if number % 3 else REQUEST) for number in range(12)]
    times = [job.created_at.timestamp() for job in jobs]
    for earlier in (2, 3, 5, 8):
        times[earlier + 1] = times[earlier]
    redis.zadd(JOBS, {job.id: time for job, time in zip(jobs, times, strict=True)})
    in_order = sorted(zip(times, jobs, strict=True), key=lambda one: (one[0], one[1].id), reverse=True)
    return [job for _, job in in_order]


def listed(
    ledger: Ledger, limit: int, collections: set[str] | None = None
) -> tuple[list[str], list[str | int]]:
    """The ids on all pages, and where each page went on."""
    found, before = page_of_jobs(ledger, state=None, before=None, limit=limit, collections=collections)
    ids, places = [job.id for job in found], []
    while before is not None:
        places.append(before)
        found, before = page_of_jobs(ledger, state=None, before=before, limit=limit, collections=collections)
        ids += [job.id for job in found]
    return ids, places


@pytest.mark.parametrize("most", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_pages_have_each_job_once_and_say_nothing_of_others(
    ledger: Ledger, redis: Redis, monkeypatch: pytest.MonkeyPatch, most: int, limit: int
) -> None:
    monkeypatch.setattr("sightline.queue.pages.MOST_JOBS_LOOKED_AT", most)
    every = mixed_jobs(ledger, redis)
    own = [job.id for job in every if job.request.collection == "images"]

    found, places = listed(ledger, limit, {"images"})

    assert found == own
    assert {place for place in places if isinstance(place, str)} <= set(own)
    assert listed(ledger, limit)[0] == [job.id for job in every]


def test_jobs_that_are_made_meanwhile_repeat_none(ledger: Ledger) -> None:
    jobs = [ledger.create(REQUEST).id for _ in range(105)]
    listing = ledger.newest_first(None)
    first = [one.id for one in islice(listing, 100)]
    ledger.create(REQUEST)

    assert first + [one.id for one in listing] == jobs[::-1]


@pytest.mark.parametrize("gone", [True, False])
def test_after_a_job_that_has_left_the_list_there_is_none(ledger: Ledger, redis: Redis, gone: bool) -> None:
    oldest, _ = ledger.create(REQUEST), ledger.create(REQUEST)
    redis.zrem(JOBS, oldest.id)
    before = oldest.id if gone else "\ud800"

    assert page_of_jobs(ledger, state=None, before=before, limit=9) == ([], None)
