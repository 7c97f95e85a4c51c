"""Taking pictures in: the job is recorded before any message about it is sent."""

import json
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import anyio
import anyio.to_thread
from fastapi import UploadFile

from sightline.errors import BadPicture
from sightline.queue.broker import send
from sightline.queue.jobs import IdempotencyKey, Job, JobRequest, JobState
from sightline.queue.messages import PlanJob
from sightline.queue.sources import FolderSource, PictureRef, SourceKind
from sightline.roots import real_path, within_roots
from sightline_api.gateway import Gateway
from sightline_api.problems import ApiError

_READ_BYTES = 1 << 20
_POLL_S = 0.1


def start_job(
    gateway: Gateway,
    request: JobRequest,
    refs: Iterator[PictureRef] | Sequence[PictureRef] = (),
    idempotency: IdempotencyKey | None = None,
) -> Job:
    """Make sure of the collection, record the job, and send the message that plans it."""
    gateway.index.ensure_collection(gateway.collection_spec(request.collection))
    job = gateway.ledger.create(request, refs, idempotency)
    if job.state is JobState.QUEUED:
        send(gateway.broker, PlanJob(job_id=job.id))
    return job


def checked_folder(gateway: Gateway, source: FolderSource) -> FolderSource:
    """The folder with links followed; raises ApiError unless it lies in an import root."""
    path = Path(source.path)
    roots = gateway.settings.import_roots
    if not path.is_absolute() or not within_roots(path, roots):
        detail = f"Folder {source.path} is not inside a folder that may be imported (SIGHTLINE_IMPORT_ROOTS)."
        raise ApiError(HTTPStatus.FORBIDDEN, "path_not_allowed", detail)
    real = real_path(path)
    if not real.is_dir():
        detail = f"There is no folder {source.path} on the machine of the gateway."
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "folder_not_found", detail)
    return source.model_copy(update={"path": str(real)})


def store_uploads(
    gateway: Gateway, collection: str, files: Sequence[UploadFile], metadata: Sequence[dict[str, Any]]
) -> Sequence[PictureRef]:
    """Write the files to the media store under their hashes; raises ApiError for one too large."""
    stored: list[PictureRef] = []
    for file, about in zip(files, metadata, strict=True):
        name = file.filename or "unnamed"
        try:
            original = gateway.media.put_original_stream(
                collection, _chunks(file.file), gateway.settings.max_picture_bytes
            )
        except BadPicture as error:
            detail = f"File '{name}': {error.detail}"
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error.reason.value, detail) from error
        uri = f"upload:{quote(name)}"
        stored.append(PictureRef(kind=SourceKind.UPLOAD, uri=uri, sha256=original.sha256, metadata=about))
    return stored


def metadata_per_file(text: str | None, files: int) -> Sequence[dict[str, Any]]:
    """The `metadata` form field as one object per file; raises ApiError when it is neither form."""
    if text is None:
        return [{}] * files
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _bad_metadata(f"is not JSON ({error})") from error
    if isinstance(value, dict):
        return [value] * files
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _bad_metadata("is neither an object nor a list of objects")
    if len(value) != files:
        raise _bad_metadata(f"has {len(value)} objects for {files} files")
    return value


async def wait_for_end(gateway: Gateway, job: Job, seconds: float) -> Job:
    """The job once it has ended, or as it stands after `seconds`."""
    with anyio.move_on_after(seconds):
        while not job.state.final:
            await anyio.sleep(_POLL_S)
            job = await anyio.to_thread.run_sync(gateway.ledger.job, job.id)
    return job


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_READ_BYTES):
        yield chunk


def _bad_metadata(fault: str) -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_metadata", f"Form field metadata {fault}.")
