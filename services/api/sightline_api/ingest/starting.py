"""Taking pictures in: the job is recorded before any message about it is sent."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus

import anyio
import anyio.to_thread
from fastapi import Response

from sightline.queue.broker import send
from sightline.queue.jobs import IdempotencyKey, Job, JobRequest, JobState
from sightline.queue.messages import PlanJob
from sightline.queue.sources import JobSource, PictureRef, RecordedSource, SourceKind
from sightline_api.gateway import Gateway
from sightline_api.ingest.models import AnySource, UrlsSource
from sightline_api.ingest.places import checked_place
from sightline_api.jobs.resource import JobResource

_POLL_S = 0.1


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
) -> Job:
    """Make sure of the collection, record the job, and send the message that plans it.

    `refs` are taken one by one while they are recorded, and not at all if the key made a job before;
    raises IdempotencyKeyReused if that was for another request.
    """
    job = gateway.ledger.made_under(idempotency) if idempotency else None
    if job is None:
        gateway.index.ensure_collection(gateway.collection_spec(request.collection))
        job = gateway.ledger.create(request, refs, idempotency)
    if job.state is JobState.QUEUED:
        send(gateway.broker, PlanJob(job_id=job.id))
    return job


async def wait_for_end(gateway: Gateway, job: Job, seconds: float) -> Job:
    """The job once it has ended, or as it stands after `seconds`."""
    with anyio.move_on_after(seconds):
        while not job.state.final:
            await anyio.sleep(_POLL_S)
            job = await anyio.to_thread.run_sync(gateway.ledger.job, job.id)
    return job


async def job_answer(gateway: Gateway, job: Job, wait_s: float, response: Response) -> JobResource:
    """A job for its client: 200 if it ended within the time that the client would wait."""
    if wait_s:
        job = await wait_for_end(gateway, job, wait_s)
    if wait_s and job.state.final:
        response.status_code = HTTPStatus.OK
        response.headers["Preference-Applied"] = f"wait={wait_s:.0f}"
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobResource.of(job)
