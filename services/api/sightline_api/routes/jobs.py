"""Jobs: how they go on, what failed in them, and how to stop one."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sse_starlette import EventSourceResponse

from sightline.errors import FailureReason
from sightline.queue.jobs import Failure, JobState
from sightline.queue.pages import page_of_failures, page_of_jobs
from sightline_api.gateway import GatewayDep
from sightline_api.http.access import READ, WRITE, CallerDep
from sightline_api.http.bounded_routes import BoundedRoute, ListensToJob
from sightline_api.http.cursors import make_cursor, read_cursor, read_number
from sightline_api.http.parameters import Cursor, JobDep, JobId, job_of_caller
from sightline_api.ingest.retrying import check_no_migration
from sightline_api.jobs.resource import JobResource

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=BoundedRoute)

_EVENTS: dict[str, Any] = {
    "description": "Events `progress` and `done`, each with the job as its data.",
    "content": {
        "text/event-stream": {
            "schema": {
                "type": "object",
                "properties": {
                    "event": {"enum": ["progress", "done"]},
                    "data": {"type": "string", "contentMediaType": "application/json"},
                },
            }
        }
    },
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


@router.get("", dependencies=[READ])
def list_jobs(
    gateway: GatewayDep,
    caller: CallerDep,
    state: JobState | None = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> JobList:
    """Jobs of the collections that the key may use, newest first.

    Where most jobs are others' or in another state, a page may have fewer than `limit`, or none, and still a
    `next_cursor`.
    """
    request = ["jobs", state]
    before = read_cursor(cursor, request) if cursor else None
    jobs, last = page_of_jobs(
        gateway.ledger, state=state, before=before, limit=limit, collections=caller.collections
    )
    return JobList(
        items=[JobResource.of(job) for job in jobs],
        next_cursor=make_cursor(last, request) if last is not None else None,
    )


@router.get("/{job_id}", dependencies=[READ])
def get_job(job: JobDep) -> JobResource:
    """One job as it stands."""
    return JobResource.of(job)


@router.post("/{job_id}/cancel", dependencies=[WRITE])
def cancel_job(gateway: GatewayDep, job: JobDep) -> JobResource:
    """Index nothing more of a job; what is being indexed at this moment ends as it ends.

    A job that has ended stays as it is. That of a migration goes on: a migration is paused or aborted.
    """
    check_no_migration(job)
    gateway.ledger.stop(job.id)
    return JobResource.of(gateway.ledger.job(job.id))


@router.get(
    "/{job_id}/events",
    dependencies=[READ, ListensToJob],
    response_class=EventSourceResponse,
    responses={200: _EVENTS},
)
async def stream_job(gateway: GatewayDep, caller: CallerDep, job_id: JobId) -> EventSourceResponse:
    """The job as Server-Sent Events: `progress` now and at each change, `done` when it has ended."""
    return await gateway.job_events.stream(partial(job_of_caller, gateway, caller, job_id))


@router.get("/{job_id}/failures", dependencies=[READ])
def list_failures(
    gateway: GatewayDep,
    job: JobDep,
    reason: FailureReason | None = None,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> FailureList:
    """The pictures of a job that were not indexed, each with its reason.

    Where most failed for another `reason`, a page may have fewer than `limit`, or none, and still a
    `next_cursor`.
    """
    request = ["failures", job.id, reason]
    after = read_number(cursor, request) if cursor else -1
    failures, last = page_of_failures(gateway.ledger, job.id, reason=reason, after=after, limit=limit)
    return FailureList(
        items=[FailureResource.of(failure) for failure in failures],
        next_cursor=make_cursor(last, request) if last is not None else None,
    )
