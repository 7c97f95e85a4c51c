"""Jobs: how they go on, what failed in them, and how to stop one."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sse_starlette import EventSourceResponse

from sightline.errors import FailureReason
from sightline.queue.jobs import Failure, JobState
from sightline_api.gateway import GatewayDep
from sightline_api.http.cursors import make_cursor, read_cursor
from sightline_api.http.parameters import Cursor, JobId
from sightline_api.jobs.resource import JobResource

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_EVENTS: dict[str, Any] = {
    "description": "Events `progress` and `done`, each with the job as its data.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}

PageSize = Annotated[int, Query(ge=1, le=1000, examples=[50])]


class JobList(BaseModel):
    """A page of jobs, newest first."""

    items: list[JobResource]
    next_cursor: str | None


class FailureResource(BaseModel):
    """One picture that was not indexed, and why."""

    source: str
    reason: FailureReason
    detail: str
    attempts: int
    at: datetime

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """The resource of a failure."""
        return cls(source=failure.item.uri, **failure.model_dump(exclude={"item"}))


class FailureList(BaseModel):
    """A page of failures, in the order of listing."""

    items: list[FailureResource]
    next_cursor: str | None


@router.get("")
def list_jobs(
    gateway: GatewayDep, state: JobState | None = None, cursor: Cursor = None, limit: PageSize = 50
) -> JobList:
    """Jobs, newest first."""
    request = ["jobs", state]
    before = str(read_cursor(cursor, request)) if cursor else None
    jobs = gateway.ledger.list_jobs(state=state, before=before, limit=limit + 1)
    more = len(jobs) > limit
    return JobList(
        items=[JobResource.of(job) for job in jobs[:limit]],
        next_cursor=make_cursor(jobs[limit - 1].id, request) if more else None,
    )


@router.get("/{job_id}")
def get_job(gateway: GatewayDep, job_id: JobId) -> JobResource:
    """One job as it stands."""
    return JobResource.of(gateway.ledger.job(job_id))


@router.post("/{job_id}/cancel")
def cancel_job(gateway: GatewayDep, job_id: JobId) -> JobResource:
    """Index nothing more of a job; what is being indexed at this moment ends as it ends.

    A job that has ended stays as it is.
    """
    gateway.ledger.stop(job_id)
    return JobResource.of(gateway.ledger.job(job_id))


@router.get("/{job_id}/events", response_class=EventSourceResponse, responses={200: _EVENTS})
async def stream_job(gateway: GatewayDep, job_id: JobId) -> EventSourceResponse:
    """The job as Server-Sent Events: `progress` now and at each change, `done` when it has ended."""
    return await gateway.job_events.stream(job_id)


@router.get("/{job_id}/failures")
def list_failures(
    gateway: GatewayDep,
    job_id: JobId,
    reason: FailureReason | None = None,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> FailureList:
    """The pictures of a job that were not indexed, each with its reason."""
    request = ["failures", job_id, reason]
    after = int(read_cursor(cursor, request)) if cursor else -1
    failures = gateway.ledger.failures(job_id, reason=reason, after=after, limit=limit + 1)
    more = len(failures) > limit
    return FailureList(
        items=[FailureResource.of(failure) for failure in failures[:limit]],
        next_cursor=make_cursor(failures[limit - 1].item.number, request) if more else None,
    )
