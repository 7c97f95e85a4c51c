"""Pictures come in: uploads, sources, and what failed of an earlier job."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Body, Request, Response

from sightline.queue.jobs import Job, JobRequest
from sightline.queue.sources import RecordedSource
from sightline_api.gateway import GatewayDep
from sightline_api.http.access import WRITE, CallerDep
from sightline_api.http.overload import Work
from sightline_api.http.parameters import (
    CollectionDep,
    JobId,
    WaitDep,
    chosen_collection,
    job_of_caller,
)
from sightline_api.ingest.admission import AdmittingRoute
from sightline_api.ingest.idempotency import RequestKeyDep
from sightline_api.ingest.models import IngestRequest, RetryRequest, UrlsSource
from sightline_api.ingest.retrying import failed_pictures, retry_of
from sightline_api.ingest.starting import job_answer, made_before, recorded_source, start_job
from sightline_api.ingest.upload_form import OPENAPI_BODY
from sightline_api.ingest.uploads import received_upload
from sightline_api.jobs.resource import JobResource

router = APIRouter(prefix="/v1", route_class=AdmittingRoute, dependencies=[WRITE])

_ENDED: dict[int | str, dict[str, Any]] = {
    200: {"model": JobResource, "description": "The job, which ended within `Prefer: wait`."}
}


@router.post(
    "/images",
    status_code=HTTPStatus.ACCEPTED,
    tags=["ingest"],
    openapi_extra=OPENAPI_BODY,
    responses=_ENDED,
)
async def upload_images(
    request: Request,
    gateway: GatewayDep,
    caller: CallerDep,
    collection: CollectionDep,
    key: RequestKeyDep,
    wait_s: WaitDep,
    response: Response,
) -> JobResource:
    """Store pictures and index them: 202 with the job, or 200 if it ended within `Prefer: wait`."""
    async with (
        gateway.bounds.place(Work.UPLOAD),
        received_upload(request, gateway.media, collection, gateway.settings, gateway.tracer) as upload,
    ):

        def start() -> Job:
            idempotency = key.over([collection, upload.asked()])
            made = made_before(gateway, idempotency)
            if made is not None:
                return made
            job_request = JobRequest(
                collection=collection,
                source=RecordedSource(kind="upload"),
                tags=upload.form.tags,
                on_duplicate=upload.form.on_duplicate,
            )
            quota = partial(gateway.rate_limits.take_quota, caller, len(upload.files))
            return start_job(gateway, job_request, upload.keep(), idempotency, quota)

        job = await anyio.to_thread.run_sync(start)
    return await job_answer(gateway, job, wait_s, response)


@router.post("/ingest", status_code=HTTPStatus.ACCEPTED, tags=["ingest"], responses=_ENDED)
async def ingest(
    gateway: GatewayDep,
    caller: CallerDep,
    key: RequestKeyDep,
    wait_s: WaitDep,
    response: Response,
    body: IngestRequest,
) -> JobResource:
    """Index all pictures of a source: 202 with the job."""

    def start() -> Job:
        collection = chosen_collection(gateway, caller, body.collection)
        idempotency = key.over([collection, body.model_dump(mode="json")])
        made = made_before(gateway, idempotency)
        if made is not None:
            return made
        source, refs = recorded_source(gateway, body.source)
        request = JobRequest(
            collection=collection,
            source=source,
            tags=tuple(body.tags),
            metadata=body.metadata,
            on_duplicate=body.on_duplicate,
        )
        named = len(body.source.items) if isinstance(body.source, UrlsSource) else 0
        quota = partial(gateway.rate_limits.take_quota, caller, named)
        return start_job(gateway, request, refs, idempotency, quota)

    job = await gateway.bounds.run(Work.QUEUE, start)
    return await job_answer(gateway, job, wait_s, response)


@router.post("/jobs/{job_id}/retry", status_code=HTTPStatus.ACCEPTED, tags=["jobs"], responses=_ENDED)
async def retry_job(
    gateway: GatewayDep,
    caller: CallerDep,
    key: RequestKeyDep,
    wait_s: WaitDep,
    response: Response,
    job_id: JobId,
    body: Annotated[RetryRequest, Body(default_factory=RetryRequest)],
) -> JobResource:
    """Try what failed in a job again, all or what failed for one reason: 202 with a new job."""

    def start() -> Job:
        idempotency = key.over(body.model_dump(mode="json"))
        made = made_before(gateway, idempotency)
        if made is not None:
            return made
        failed = job_of_caller(gateway, caller, job_id)
        request = retry_of(failed, body.reason)
        refs = failed_pictures(gateway.ledger, failed.id, body.reason)
        return start_job(gateway, request, refs, idempotency)

    job = await gateway.bounds.run(Work.QUEUE, start)
    return await job_answer(gateway, job, wait_s, response)
