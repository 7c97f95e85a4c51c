"""Collections go out as files, and points that were made elsewhere come in: both as jobs."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Self

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, model_validator

from sightline.queue.jobs import Job, JobRequest
from sightline.queue.sources import ExportTarget, PointsFormat, PointsSource
from sightline.roots import real_path, within_roots
from sightline_api.gateway import Gateway, GatewayDep
from sightline_api.http.access import ADMIN, CallerDep
from sightline_api.http.audit import audit
from sightline_api.http.example_values import UPLOAD_ID
from sightline_api.http.overload import Work
from sightline_api.http.parameters import WaitDep
from sightline_api.http.problems import ApiError, field_fault
from sightline_api.ingest.admission import AdmittingRoute
from sightline_api.ingest.places import checked_path
from sightline_api.ingest.shared_folder import require_shared_folder
from sightline_api.ingest.starting import job_answer, record_job, send_job
from sightline_api.jobs.resource import JobResource
from sightline_api.routes.collections import Name

router = APIRouter(
    prefix="/v1/collections", tags=["collections"], route_class=AdmittingRoute, dependencies=[ADMIN]
)

_MAX_PATH = 4096
_IMPORT_INSTEAD = "Name a `path` below SIGHTLINE_IMPORT_ROOTS on the embedders' machines."


class ExportRequest(BaseModel):
    """What to export, and into which new folder on the server, inside SIGHTLINE_EXPORT_ROOTS.

    Without a `path` the files wait at `/v1/exports/{job_id}/{file}`, until the job's record expires.
    """

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"thumbnails": True}, {"thumbnails": False}]}
    )

    path: Annotated[str | None, Field(max_length=_MAX_PATH)] = None
    thumbnails: StrictBool = True


class ImportRequest(BaseModel):
    """Points with vectors: in a folder that may be imported, or sent to `/v1/imports/{upload_id}/{file}`.

    `format` is `sightline`, for what an export wrote, or `clip-retrieval`, for img_emb and metadata; of
    that `model` names the model, which has to be the one in use here.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"path": "/photos"},
                {"upload": UPLOAD_ID, "format": "clip-retrieval", "model": "clip-ViT-B-32"},
            ]
        },
    )

    path: Annotated[str | None, Field(max_length=_MAX_PATH)] = None
    upload: Annotated[str | None, Field(pattern=r"^[0-9a-f]{32}$")] = None
    format: PointsFormat = PointsFormat.SIGHTLINE
    model: Annotated[str | None, Field(max_length=256)] = None

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        try:
            PointsSource(**self.model_dump())
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
        return self


@router.post("/{name}/export", status_code=HTTPStatus.ACCEPTED)
async def export_collection(
    gateway: GatewayDep,
    caller: CallerDep,
    name: Name,
    wait_s: WaitDep,
    response: Response,
    body: Annotated[ExportRequest, Body(default_factory=ExportRequest)],
) -> JobResource:
    """Write the points of a collection to Parquet files: 202 with a job, which counts them as `unchanged`."""

    def start() -> Job:
        gateway.index.collection(caller.check(name))
        if body.path is None:
            instead = "Name a `path` below SIGHTLINE_EXPORT_ROOTS on the embedders' machines."
            require_shared_folder(gateway.settings, instead)
        target = ExportTarget(path=_free_folder(gateway, body.path), thumbnails=body.thumbnails)
        job = record_job(gateway, JobRequest(collection=name, source=target))
        audit(caller, "collection_exported", collection=name, job_id=job.id)
        send_job(gateway, job)
        return job

    job = await gateway.bounds.run(Work.QUEUE, start)
    return await job_answer(gateway, job, wait_s, response)


@router.post("/{name}/import", status_code=HTTPStatus.ACCEPTED)
async def import_points(
    gateway: GatewayDep,
    caller: CallerDep,
    name: Name,
    wait_s: WaitDep,
    response: Response,
    body: ImportRequest,
) -> JobResource:
    """Insert points that are not there yet, without encoding: 202 with a job. Makes the collection."""

    def start() -> Job:
        source = PointsSource(**body.model_dump())
        if source.path is not None:
            folder = checked_path(gateway, source.path, folder=True)
            source = source.model_copy(update={"path": str(folder)})
        if source.upload is not None:
            require_shared_folder(gateway.settings, _IMPORT_INSTEAD)
            gateway.portable.keep_upload(source.upload)
        job = record_job(gateway, JobRequest(collection=caller.check(name), source=source))
        audit(caller, "points_imported", collection=name, job_id=job.id)
        send_job(gateway, job)
        return job

    job = await gateway.bounds.run(Work.QUEUE, start)
    return await job_answer(gateway, job, wait_s, response)


def _free_folder(gateway: Gateway, text: str | None) -> str | None:
    """The folder of an export with its links followed; raises ApiError for one that may not be written."""
    if text is None:
        return None
    if "\0" in text:
        raise field_fault("is no path: it holds a zero byte", "path")
    path = Path(text)
    if not path.is_absolute() or not within_roots(path, gateway.settings.export_roots):
        detail = f"Folder {text} is not inside a folder that exports may go to (SIGHTLINE_EXPORT_ROOTS)."
        raise ApiError(HTTPStatus.FORBIDDEN, "path_not_allowed", detail)
    real = real_path(path)
    if not _is_free(real, text):
        raise ApiError(HTTPStatus.CONFLICT, "export_exists", f"Folder {text} is not empty. Name a new one.")
    return str(real)


def _is_free(real: Path, text: str) -> bool:
    """Whether nothing is there yet; raises ApiError where the gateway may not, or cannot, look."""
    try:
        return not real.exists() or (real.is_dir() and not any(real.iterdir()))
    except OSError as error:
        detail = (
            f"The gateway cannot look into folder {text}: {error.strerror or error}. Permit it to, or name "
            f"another folder."
        )
        raise ApiError(HTTPStatus.FORBIDDEN, "path_not_allowed", detail) from error
