"""`sightline export` and `sightline import`."""

from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import typer
from rich.console import Console

from sightline.portable.manifest import MANIFEST, read_manifest
from sightline.portable.places import is_import_file
from sightline_local.client import ApiClient, ApiFailure
from sightline_local.commands.job_progress import follow_jobs
from sightline_local.commands.options import DEFAULT_URL, AsJson, Url, client
from sightline_local.commands.output import print_json
from sightline_local.errors import PortabilityError

DEFAULT_COLLECTION = "images"
_CLIP_FOLDERS = ("img_emb", "metadata")

Named = Annotated[str, typer.Option("--collection", help="Which collection.")]


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for the files.")],
    collection: Named = DEFAULT_COLLECTION,
    thumbnails: Annotated[bool, typer.Option(help="Whether thumbnails are in the files.")] = True,
    on_server: Annotated[
        bool, typer.Option("--on-server", help="DIR is on the server, inside its SIGHTLINE_EXPORT_ROOTS.")
    ] = False,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Write a collection to Parquet files: ids, vectors, payload, where pictures came from, thumbnails."""
    api = client(url)
    path = str(folder) if on_server else None
    if not on_server:
        _make_new(folder)
    job = api.post(f"/v1/collections/{collection}/export", {"path": path, "thumbnails": thumbnails})
    ended = _ended(api, job["id"], quiet=json, doing="exporting")
    if not on_server:
        _fetch(api, job["id"], folder, quiet=json)
        api.delete(f"/v1/exports/{job['id']}")
    if json:
        print_json({"folder": str(folder), "points": ended["counts"]["unchanged"], "job": job["id"]})
        return
    typer.echo(f"{ended['counts']['unchanged']} points of {collection} are in {folder}.")


def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An export, or a folder of clip-retrieval.")],
    collection: Named = DEFAULT_COLLECTION,
    format: Annotated[
        Literal["sightline", "clip-retrieval"], typer.Option(help="What wrote it.")
    ] = "sightline",
    model: Annotated[
        str | None, typer.Option(help="Of clip-retrieval: the model that made the vectors.")
    ] = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Insert points from files, with their vectors: nothing is encoded, and what is there already stays."""
    if format == "clip-retrieval" and model is None:
        raise typer.BadParameter("name the model that made the vectors: --model clip-ViT-B-32")
    api = client(url)
    job = _start_import(api, folder.expanduser(), collection, {"format": format, "model": model}, quiet=json)
    ended = _ended(api, job["id"], quiet=json, doing="importing", must_succeed=False)
    if json:
        print_json(ended)
    if ended["state"] != "succeeded":
        raise typer.Exit(1)


def _start_import(api: ApiClient, folder: Path, collection: str, asked: Any, *, quiet: bool) -> Any:
    """The job: of the folder itself where the API may read it, else of its files, which are sent."""
    path = f"/v1/collections/{collection}/import"
    if not folder.is_dir():
        raise PortabilityError(f"There is no folder {folder}.")
    try:
        return api.post(path, asked | {"path": str(folder.resolve())})
    except ApiFailure as error:
        if error.code not in ("path_not_allowed", "folder_not_found"):
            raise
    upload, files = uuid4().hex, _files_of(folder)
    for number, file in enumerate(files, 1):
        Console(stderr=True, quiet=quiet).print(f"sending {file.name} ({number} of {len(files)})")
        api.put(f"/v1/imports/{upload}/{file.name}", file)
    return api.post(path, asked | {"upload": upload})


def _files_of(folder: Path) -> list[Path]:
    folders = [folder, *(folder / name for name in _CLIP_FOLDERS if (folder / name).is_dir())]
    files = sorted(path for one in folders for path in one.iterdir() if is_import_file(path.name))
    if not files:
        raise PortabilityError(
            f"There is nothing in {folder} that can be imported: neither {MANIFEST} nor img_emb."
        )
    return files


def _ended(api: ApiClient, job_id: str, *, quiet: bool, doing: str, must_succeed: bool = True) -> Any:
    (ended,) = follow_jobs(api, [job_id], quiet=quiet, doing=doing)
    if must_succeed and ended["state"] != "succeeded":
        error = ended["error"] or {"detail": f"The job ended as {ended['state']}."}
        raise PortabilityError(error["detail"])
    return ended


def _make_new(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise PortabilityError(f"Folder {folder} cannot be made: {error.strerror}.") from error
    if taken:
        raise PortabilityError(f"Folder {folder} is not empty. Name a new one.")


def _fetch(api: ApiClient, job_id: str, folder: Path, *, quiet: bool) -> None:
    """Fetch the files of an export, and its manifest last: a folder without one is no export."""
    draft = folder / f"{MANIFEST}.unfinished"
    try:
        api.download(f"/v1/exports/{job_id}/{MANIFEST}", draft)
        manifest = read_manifest(draft)
        for number, file in enumerate(manifest.files, 1):
            Console(stderr=True, quiet=quiet).print(
                f"fetching {file.name} ({number} of {len(manifest.files)})"
            )
            if api.download(f"/v1/exports/{job_id}/{file.name}", folder / file.name) != file.sha256:
                raise PortabilityError(f"{file.name} came damaged. Remove {folder} and export again.")
        draft.rename(folder / MANIFEST)
    except OSError as error:
        raise PortabilityError(
            f"{folder} cannot be written: {error.strerror}. The export waits as job {job_id}."
        ) from error
