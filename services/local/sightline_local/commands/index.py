"""`sightline index`: bring pictures in, and watch them go."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from sightline.file_uri import path_of
from sightline.identity import sha256_of_file
from sightline_embedder.sources.folder import FolderListing
from sightline_local.client import ApiClient, ApiFailure
from sightline_local.commands.job_progress import follow_jobs
from sightline_local.commands.options import DEFAULT_URL, AsJson, Collection, Url, client
from sightline_local.commands.output import print_json

FILES_PER_UPLOAD = 100


def index(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Folders and picture files.")],
    tag: Annotated[list[str] | None, typer.Option(help="Tag for every new picture; repeatable.")] = None,
    collection: Collection = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Index pictures. Folders that the API may read are not copied; others are uploaded."""
    api = client(url)
    jobs = [job for path in paths for job in start_jobs(api, path.resolve(), tag or [], collection)]
    ended = follow_jobs(api, [job["id"] for job in jobs], quiet=json)
    if json:
        print_json(ended)
    if any(job["state"] != "succeeded" for job in ended):
        raise typer.Exit(1)


def start_jobs(api: ApiClient, path: Path, tags: Sequence[str], collection: str | None) -> Iterator[Any]:
    """Jobs for one path: a folder source where the API allows it, else uploads."""
    if path.is_dir():
        body = {"source": {"kind": "folder", "path": str(path)}, "tags": list(tags), "collection": collection}
        try:
            yield api.post("/v1/ingest", body)
            return
        except ApiFailure as error:
            if error.code not in ("path_not_allowed", "folder_not_found"):
                raise
    files = _pictures_of(path)
    while group := list(islice(files, FILES_PER_UPLOAD)):
        unknown = _without_known(api, group, collection)
        if unknown:
            yield api.upload(unknown, {"collection": collection} if collection else {}, tags)


def _pictures_of(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for listed in FolderListing(path, recursive=True, roots=[path]).list(None):
        yield path_of(listed.ref.uri)


def _without_known(api: ApiClient, files: Sequence[Path], collection: str | None) -> Sequence[Path]:
    hashes = {path: sha256_of_file(path) for path in files}
    body = {"sha256": list(hashes.values()), "collection": collection}
    known = api.post("/v1/images/known", body)["known"]
    return [path for path, sha256 in hashes.items() if sha256 not in known]
