"""What the ledger records, a page at a time. Only so much is looked at for one, so that nobody waits long."""

from collections.abc import Callable, Container, Iterable, Sequence
from typing import TypeVar

from sightline.errors import FailureReason
from sightline.queue.jobs import Failure, Job, JobState
from sightline.queue.ledger import Ledger

MOST_JOBS_LOOKED_AT = 2_000
"""Each takes a round trip."""
MOST_FAILURES_LOOKED_AT = 10_000

_T = TypeVar("_T")


def page_of_jobs(
    ledger: Ledger,
    *,
    state: JobState | None,
    before: str | None,
    limit: int,
    collections: Container[str] | None = None,
) -> tuple[Sequence[Job], str | None]:
    """Jobs of these collections, or of all, newest first, after the one named `before`.

    Also the id of the job to go on after, None at the end; a page may have fewer than `limit`, or none, and
    still one.
    """

    def wanted(named: tuple[str, Job | None]) -> bool:
        job = named[1]
        theirs = collections is None or (job is not None and job.request.collection in collections)
        return job is not None and theirs and state in (None, job.state)

    found, last = _page(ledger.newest_first(before), wanted, limit, MOST_JOBS_LOOKED_AT)
    return [job for _, job in found if job is not None], last[0] if last else None


def page_of_failures(
    ledger: Ledger, job_id: str, *, reason: FailureReason | None, after: int, limit: int
) -> tuple[Sequence[Failure], int | None]:
    """Failures in the order of listing, those numbered above `after`; raises JobNotFound.

    Also the number to go on after, None at the end; a page may have fewer than `limit`, or none, and still
    one.
    """
    ledger.job(job_id)
    failures = ledger.failures(job_id, reason=None, after=after)
    found, last = _page(failures, lambda one: reason in (None, one.reason), limit, MOST_FAILURES_LOOKED_AT)
    return found, last.item.number if last else None


def _page(
    candidates: Iterable[_T], wanted: Callable[[_T], bool], limit: int, most: int
) -> tuple[Sequence[_T], _T | None]:
    """At most `limit` of those that are wanted among the first `most`, and the one to go on after."""
    found: list[_T] = []
    for looked_at, one in enumerate(candidates, 1):
        if wanted(one):
            if len(found) == limit:
                return found, found[-1]
            found.append(one)
        if looked_at == most:
            return found, one
    return found, None
