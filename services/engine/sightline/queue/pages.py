"""What the ledger records, a page at a time. Only so much is looked at for one, so that nobody waits long."""

from collections.abc import Callable, Container, Iterable, Sequence
from typing import TypeVar

from sightline.errors import FailureReason
from sightline.queue.jobs import Failure, Job, JobState, ListedJob
from sightline.queue.ledger import Ledger

MOST_JOBS_LOOKED_AT = 2_000
"""Each takes a round trip."""
MOST_FAILURES_LOOKED_AT = 10_000

_T = TypeVar("_T")


def page_of_jobs(
    ledger: Ledger,
    *,
    state: JobState | None,
    before: str | int | None,
    limit: int,
    collections: Container[str] | None = None,
) -> tuple[Sequence[Job], str | int | None]:
    """Jobs of these collections, or of all, newest first, from a place on as the ledger has it.

    Also the place to go on from, None at the end; a page may have fewer than `limit`, or none, and still one.
    """

    def wanted(one: ListedJob) -> bool:
        theirs = collections is None or (one.job is not None and one.job.request.collection in collections)
        return one.job is not None and theirs and state in (None, one.job.state)

    jobs = ledger.newest_first(before)
    found, last = _page(jobs, wanted, lambda one: one.made_us, limit, MOST_JOBS_LOOKED_AT)
    return [one.job for one in found if one.job is not None], _place(found, last)


def page_of_failures(
    ledger: Ledger, job_id: str, *, reason: FailureReason | None, after: int, limit: int
) -> tuple[Sequence[Failure], int | None]:
    """Failures in the order of listing, those numbered above `after`; raises JobNotFound.

    Also the number to go on after, None at the end; a page may have fewer than `limit`, or none, and still
    one.
    """
    ledger.job(job_id)
    failures = ledger.failures(job_id, reason=None, after=after)

    def wanted(one: Failure) -> bool:
        return reason in (None, one.reason)

    found, last = _page(failures, wanted, lambda one: one.item.number, limit, MOST_FAILURES_LOOKED_AT)
    return found, last.item.number if last else None


def _place(found: Sequence[ListedJob], last: ListedJob | None) -> str | int | None:
    """Where to go on after `last`. Of a job that is not on the page, the caller may not learn the id."""
    if last is None:
        return None
    return last.id if last in found[-1:] else last.made_us


def _page(
    candidates: Iterable[_T],
    wanted: Callable[[_T], bool],
    moment: Callable[[_T], int],
    limit: int,
    most: int,
) -> tuple[Sequence[_T], _T | None]:
    """At most `limit` of those that are wanted among the first `most`, and the one to go on after.

    Those of one moment are looked at together, so that to go on after the last of them leaves none out.
    """
    found: list[_T] = []
    last: _T | None = None
    for looked_at, one in enumerate(candidates):
        if last is not None and looked_at >= most and moment(one) != moment(last):
            return found, last
        if wanted(one):
            if len(found) == limit:
                return found, found[-1]
            found.append(one)
        last = one
    return found, None
