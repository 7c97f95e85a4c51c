"""`sightline index`: bring pictures in, and watch them go."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sightline.file_uri import path_of
from sightline_embedder.sources.folder import FolderListing
from sightline_local.client import ApiClient, ApiFailure
from sightline_local.commands.ingest_source import source_of, start_source
from sightline_local.commands.job_progress import follow_jobs
from sightline_local.commands.options import DEFAULT_URL, AsJson, Collection, Url, patient_client
from sightline_local.commands.output import print_json
from sightline_local.uploads import LeftOut, Uploads

_RETRY_S = 5.0
_NOT_READABLE = ("path_not_allowed", "folder_not_found")


def index(
    places: Annotated[
        list[str],
        typer.Argument(help="Folders, pictures, archives, manifests; also at URLs and in buckets."),
    ],
    tag: Annotated[list[str] | None, typer.Option(help="Tag for every new picture; repeatable.")] = None,
    collection: Collection = None,
    sync: Annotated[
        bool, typer.Option("--sync", help="Read only what changed, and forget pictures that are gone.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Sync now and after every change.")] = False,
    poll: Annotated[
        bool, typer.Option("--poll", help="Watch by looking again and again, as network disks need it.")
    ] = False,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Index pictures. Folders that the API may read are not copied; others are uploaded.

    With --sync the index follows a folder. With --watch it does so until ctrl-C.
    """
    if sync or watch:
        for place in places:
            if not Path(place).is_dir():
                raise typer.BadParameter(f"{place} is no folder; only folders can be synced.")
    if poll and not watch:
        raise typer.BadParameter("--poll says how to watch: give it with --watch.")
    api = patient_client(url)

    def run(chosen: Sequence[str | Path]) -> bool:
        left_out: list[LeftOut] = []
        try:
            jobs = [
                job
                for place in chosen
                for job in _start(
                    api, str(place), tag or [], collection, sync=sync or watch, leave_out=left_out.append
                )
            ]
            ended = follow_jobs(api, [job["id"] for job in jobs], quiet=json)
        finally:
            for file in left_out:
                print_left_out(file)
        if json:
            print_json(ended)
        return not left_out and all(job["state"] == "succeeded" for job in ended)

    if watch:
        with suppress(KeyboardInterrupt):
            _run_at_changes(run, [Path(place).resolve() for place in places], poll=poll)
    elif not run(places):
        raise typer.Exit(1)


def _start(
    api: ApiClient,
    place: str,
    tags: Sequence[str],
    collection: str | None,
    *,
    sync: bool,
    leave_out: Callable[[LeftOut], None],
) -> Iterator[Any]:
    source = source_of(place)
    if source is not None:
        yield start_source(api, source, tags, collection)
        return
    path = Path(place).resolve()
    if not path.exists():
        raise typer.BadParameter(f"There is no file or folder {place}.")
    yield from start_jobs(api, path, tags, collection, sync=sync, leave_out=leave_out)


def print_left_out(file: LeftOut) -> None:
    """Say on standard error which file was not sent, and why."""
    # A name may hold what looks like markup, and a path that is broken into lines is of no use.
    Console(stderr=True, soft_wrap=True).print(
        f"Not sent: {file.path}: {file.why}", style="yellow", markup=False, highlight=False
    )


def start_jobs(
    api: ApiClient,
    path: Path,
    tags: Sequence[str],
    collection: str | None,
    *,
    sync: bool = False,
    leave_out: Callable[[LeftOut], None] = print_left_out,
) -> Iterator[Any]:
    """Jobs for one path: a folder source where the API allows it, else uploads.

    `leave_out` is told of each file that cannot be uploaded. Raises ApiFailure; a `sync` also where the API
    does not allow the folder.
    """
    if path.is_dir():
        source = {"kind": "folder", "path": str(path), "sync": sync}
        try:
            yield api.post("/v1/ingest", {"source": source, "tags": list(tags), "collection": collection})
            return
        except ApiFailure as error:
            if error.code not in _NOT_READABLE:
                raise
            if sync:
                raise ApiFailure(
                    error.code, f"{error} Only a folder that the API reads can be synced."
                ) from error
    yield from Uploads(api, tags, collection, leave_out).jobs(_pictures_of(path))


def _run_at_changes(run: Callable[[Sequence[Path]], bool], folders: Sequence[Path], *, poll: bool) -> None:
    """Sync now, and whatever changed whenever something did; an API that is away is waited for."""
    from sightline_local.watching import watch_folders

    for number, changed in enumerate(watch_folders(folders, poll=poll)):
        while True:
            try:
                run(changed)
                break
            except ApiFailure as error:
                if number == 0 or error.code in _NOT_READABLE:
                    raise
                Console(stderr=True).print(f"[yellow]{error} Trying again in {_RETRY_S:.0f} s.")
                time.sleep(_RETRY_S)
        if number == 0:
            Console(stderr=True).print("watching for changes; ctrl-C ends it")


def _pictures_of(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for listed in FolderListing(path, recursive=True, roots=[path]).list(None):
        yield path_of(listed.ref.uri)
