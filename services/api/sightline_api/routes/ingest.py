"""Pictures come in: uploads and sources."""

from http import HTTPStatus
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, File, Form, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from sightline.identity import point_id
from sightline.queue.jobs import Job, JobRequest
from sightline.queue.sources import FolderSource, RecordedSource
from sightline.settings import CollectionName
from sightline_api import ingesting
from sightline_api.gateway import GatewayDep
from sightline_api.job_resource import JobResource
from sightline_api.parameters import CollectionDep, WaitDep
from sightline_api.problems import ApiError

router = APIRouter(prefix="/v1", tags=["ingest"])

Tag = Annotated[str, Field(min_length=1, max_length=256)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class IngestRequest(BaseModel):
    """A source of pictures that the embedder can reach."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"source": {"kind": "folder", "path": "/photos"}, "tags": ["holiday"]}]
        },
    )

    source: FolderSource
    tags: list[Tag] = []
    metadata: dict[str, Any] = {}
    collection: CollectionName | None = None


class KnownRequest(BaseModel):
    """Hashes of pictures that a client is about to upload."""

    model_config = ConfigDict(extra="forbid")

    sha256: Annotated[list[Sha256], Field(max_length=10_000)]
    collection: CollectionName | None = None


class KnownResponse(BaseModel):
    """Those that are indexed already, with their ids."""

    known: dict[str, str]


@router.post("/images", status_code=HTTPStatus.ACCEPTED)
async def upload_images(
    gateway: GatewayDep,
    collection: CollectionDep,
    wait_s: WaitDep,
    response: Response,
    files: Annotated[list[UploadFile], File()],
    tags: Annotated[list[Tag], Form()] = [],  # noqa: B006 - FastAPI copies defaults
    metadata: Annotated[str | None, Form(description="a JSON object, or a list of one per file")] = None,
) -> JobResource:
    """Store pictures and index them: 202 with the job, or 200 if it ended within `Prefer: wait`."""
    limit = gateway.settings.max_upload_files
    if len(files) > limit:
        detail = f"The request has {len(files)} files; the limit is {limit}. Send them in several requests."
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_files", detail)
    about = ingesting.metadata_per_file(metadata, len(files))

    def store_and_start() -> Job:
        refs = ingesting.store_uploads(gateway, collection, files, about)
        source = RecordedSource(kind="upload")
        request = JobRequest(collection=collection, source=source, tags=tuple(tags))
        return ingesting.start_job(gateway, request, refs)

    job = await anyio.to_thread.run_sync(store_and_start)
    return await _answer(gateway, job, wait_s, response)


@router.post("/ingest", status_code=HTTPStatus.ACCEPTED)
async def ingest(
    gateway: GatewayDep, wait_s: WaitDep, response: Response, body: IngestRequest
) -> JobResource:
    """Index all pictures of a source: 202 with the job."""

    def start() -> Job:
        request = JobRequest(
            collection=body.collection or gateway.settings.collection,
            source=ingesting.checked_folder(gateway, body.source),
            tags=tuple(body.tags),
            metadata=body.metadata,
        )
        return ingesting.start_job(gateway, request)

    job = await anyio.to_thread.run_sync(start)
    return await _answer(gateway, job, wait_s, response)


@router.post("/images/known")
def known_images(gateway: GatewayDep, body: KnownRequest) -> KnownResponse:
    """Which of these pictures are indexed already, so that a client need not upload them."""
    collection = body.collection or gateway.settings.collection
    ids = {sha256: point_id(sha256) for sha256 in body.sha256}
    found = gateway.index.retrieve(collection, list(ids.values()))
    return KnownResponse(known={sha256: one for sha256, one in ids.items() if one in found})


async def _answer(gateway: GatewayDep, job: Job, wait_s: float, response: Response) -> JobResource:
    if wait_s:
        job = await ingesting.wait_for_end(gateway, job, wait_s)
    if wait_s and job.state.final:
        response.status_code = HTTPStatus.OK
        response.headers["Preference-Applied"] = f"wait={wait_s:.0f}"
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobResource.of(job)
