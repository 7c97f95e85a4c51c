"""Taking pictures in: the job is recorded before any message about it is sent."""

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus

import anyio
import anyio.to_thread
import structlog
from fastapi import Response

from sightline.errors import Unavailable
from sightline.queue.broker import send
from sightline.queue.jobs import IdempotencyKey, Job, JobRequest, JobState
from sightline.queue.messages import PlanJob
from sightline.queue.origin import Origin
from sightline.queue.sources import (
    DuplicatesSource,
    ExportTarget,
    JobSource,
    MigrationSource,
    PictureRef,
    PointsSource,
    RecordedSource,
    SourceKind,
)
from sightline_api.gateway import Gateway
from sightline_api.http.overload import Work
from sightline_api.http.problems import ApiError
from sightline_api.http.request_id import bound_request_id
from sightline_api.ingest.models import AnySource, UrlsSource
from sightline_api.ingest.places import checked_place
from sightline_api.jobs.resource import JobResource

_POLL_S = 0.1

_log = structlog.get_logger(__name__)


def recorded_source(gateway: Gateway, source: AnySource) -> tuple[JobSource, Iterator[PictureRef]]:
    """A client's source as a job keeps it, and the pictures to record with it.

    Raises as `checked_place` does.
    """
    if not isinstance(source, UrlsSource):
        return checked_place(gateway, source), iter(())
    refs = (
        PictureRef(kind=SourceKind.URL, uri=item.url, tags=tuple(item.tags), metadata=item.metadata)
        for item in source.items
    )
    return RecordedSource(kind="urls"), refs


def start_job(
    gateway: Gateway,
    request: JobRequest,
    refs: Iterator[PictureRef] | Sequence[PictureRef] = (),
    idempotency: IdempotencyKey | None = None,
    take_quota: Callable[[], None] = lambda: None,
) -> Job:
    """Make sure of the collection, record the job, and send the message that plans it.

    `refs` are taken one by one while they are recorded. `take_quota` counts the pictures of a new job, and
    raises ApiError if they are too many. Raises CollectionNotFound for a job about what a collection holds,
    where there is none, and CollectionBeingDeleted. Ask `made_before` first where there may be a key.
    """
    job = record_job(gateway, request, refs, idempotency, take_quota)
    send_job(gateway, job)
    return job


def made_before(gateway: Gateway, idempotency: IdempotencyKey | None) -> Job | None:
    """The job that the key made, sent again; to be asked before anything that may have changed since.

    Raises IdempotencyKeyReused if that was for another request.
    """
    job = gateway.ledger.made_under(idempotency) if idempotency else None
    if job is not None:
        send_job(gateway, job)
    return job


def record_job(
    gateway: Gateway,
    request: JobRequest,
    refs: Iterator[PictureRef] | Sequence[PictureRef] = (),
    idempotency: IdempotencyKey | None = None,
    take_quota: Callable[[], None] = lambda: None,
) -> Job:
    """Record a job as `start_job` does, which nobody plans until it is sent."""
    origin = Origin(request_id=bound_request_id(), traceparent=gateway.tracer.traceparent())
    with gateway.tracer.span("record job") as span:
        # Before the look at the collection: a deletion in between is told by this time.
        seen_at = gateway.drops.check(request.collection)
        _make_sure_of_collection(gateway, request)
        take_quota()
        job = gateway.ledger.create(request, refs, idempotency, origin, seen_at)
        span.note({"job_id": job.id})
    _log.info("job_recorded", job_id=job.id, source=request.source.kind, collection=request.collection)
    return job


def send_job(gateway: Gateway, job: Job) -> None:
    """Send the message that plans a recorded job, once the replicas have its record."""
    gateway.ledger.await_replicas()
    if job.state is JobState.QUEUED:
        send(gateway.broker, PlanJob(job_id=job.id, origin=job.origin))


def _make_sure_of_collection(gateway: Gateway, request: JobRequest) -> None:
    match request.source:
        case ExportTarget() | PointsSource():
            return  # An export is of what is there, and an import knows what its collection has to be.
        case DuplicatesSource() | MigrationSource() | RecordedSource(kind="retry"):
            # Else a name that was mistyped, or deleted since, would become a collection without pictures.
            gateway.index.collection(request.collection, counted=False)
    gateway.ensure_collection(request.collection)


async def wait_for_end(gateway: Gateway, job: Job, seconds: float) -> Job:
    """The job once it has ended, or as it stands after `seconds`."""
    with anyio.move_on_after(seconds):
        while not job.state.final:
            await anyio.sleep(_POLL_S)
            job = await anyio.to_thread.run_sync(gateway.ledger.job, job.id)
    return job


async def job_answer(gateway: Gateway, job: Job, wait_s: float, response: Response) -> JobResource:
    """A job for its client: 200 if it ended within the time that the client would wait."""
    if wait_s and (ended := await _ended_job(gateway, job, wait_s)):
        job = ended
        response.status_code = HTTPStatus.OK
        response.headers["Preference-Applied"] = f"wait={wait_s:.0f}"
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobResource.of(job)


async def _ended_job(gateway: Gateway, job: Job, wait_s: float) -> Job | None:
    try:
        gateway.bounds.check(Work.FOLLOWED)
    except ApiError:
        return None  # It is a preference (RFC 7240), which may be left aside.
    async with gateway.bounds.place(Work.FOLLOWED):
        try:
            job = await wait_for_end(gateway, job, wait_s)
        except Unavailable:
            return None  # It was accepted, and goes on whether it is looked at or not.
    return job if job.state.final else None
