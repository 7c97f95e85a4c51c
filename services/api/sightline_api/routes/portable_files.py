"""Files of exports are fetched, and files that are to be imported are sent: one at a time."""

from http import HTTPStatus
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse

from sightline.atomic_files import AtomicFile
from sightline.disk_room import check_room
from sightline.errors import NotFound
from sightline.portable.manifest import MANIFEST
from sightline.portable.places import is_export_file, is_import_file
from sightline_api.gateway import GatewayDep
from sightline_api.http.access import ADMIN
from sightline_api.http.bounded_routes import BoundedRoute
from sightline_api.http.example_values import UPLOAD_ID
from sightline_api.http.overload import Work
from sightline_api.http.parameters import JobDep
from sightline_api.http.problems import ApiError
from sightline_api.ingest.shared_folder import require_shared_folder
from sightline_api.ingest.uploads import receive_body

router = APIRouter(prefix="/v1", tags=["collections"], route_class=BoundedRoute, dependencies=[ADMIN])

_BYTES = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes of the file.", "content": {"application/octet-stream": _BYTES}}
}
_BODY = {
    "requestBody": {
        # A file may be empty, and that of an import is judged by the import.
        "required": False,
        "content": {"application/octet-stream": _BYTES | {"examples": {"a file": {"value": "its bytes"}}}},
    }
}
_SERVICE = "The folder of imports"

ExportFile = Annotated[str, Path(description="a file that the manifest names, or it", examples=[MANIFEST])]
ImportFile = Annotated[
    str,
    Path(
        description="the name of a file of an export, or of clip-retrieval", examples=["points-00000.parquet"]
    ),
]
UploadId = Annotated[
    str,
    Path(description="of the client's choice", pattern=r"^[0-9a-f]{32}$", examples=[UPLOAD_ID]),
]


@router.get("/exports/{job_id}/{file}", response_class=FileResponse, responses=_FILE)
def get_export_file(gateway: GatewayDep, job: JobDep, file: ExportFile) -> FileResponse:
    """A file of an export that has ended; `export.json` names them, each with its SHA-256."""
    folder = gateway.portable.export(job.id)
    if not is_export_file(file) or not (folder / file).is_file():
        raise NotFound(f"There is no file {file!r} of an export by job {job.id}.")
    if not (folder / MANIFEST).is_file():
        detail = f"The export of job {job.id} has not ended. Fetch its files when it has."
        raise ApiError(HTTPStatus.CONFLICT, "export_not_finished", detail)
    return FileResponse(folder / file, media_type="application/octet-stream", filename=file)


@router.delete("/exports/{job_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_export(gateway: GatewayDep, job: JobDep) -> None:
    """Delete the files of an export that has ended, if they are there."""
    if not job.state.final:
        detail = f"Job {job.id} is still under way. Cancel it first, or wait for its end."
        raise ApiError(HTTPStatus.CONFLICT, "export_not_finished", detail)
    gateway.portable.forget(gateway.portable.export(job.id))


@router.put("/imports/{upload_id}/{file}", status_code=HTTPStatus.NO_CONTENT, openapi_extra=_BODY)
async def put_import_file(
    request: Request, gateway: GatewayDep, upload_id: UploadId, file: ImportFile
) -> None:
    """Send a file that is to be imported, in place of one of that name.

    It is kept for a day, or until the import that names it has ended.
    """
    if not is_import_file(file):
        detail = f"No export and nothing of clip-retrieval has a file of the name {file[:100]!r}."
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "import_file_unknown", detail)
    instead = "Import from a `path` below SIGHTLINE_IMPORT_ROOTS on the embedders' machines."
    require_shared_folder(gateway.settings, instead)
    folder = gateway.portable.upload(upload_id)
    announced = request.headers.get("Content-Length", "")
    coming = int(announced) if announced.isdigit() else 0
    least = gateway.settings.min_free_bytes
    async with gateway.bounds.place(Work.UPLOAD):
        await anyio.to_thread.run_sync(check_room, gateway.media, least, coming)
        made = await anyio.to_thread.run_sync(AtomicFile, _SERVICE, folder.parent / ".unfinished")

        def feed(data: bytes) -> None:
            check_room(gateway.media, least)
            made.write(data)

        try:
            await receive_body(request, feed)
            await anyio.to_thread.run_sync(lambda: made.finish(folder / file, durable=True))
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(made.discard)
