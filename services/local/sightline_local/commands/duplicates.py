"""`sightline duplicates`."""

from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from sightline_local.commands.job_progress import follow_jobs
from sightline_local.commands.options import DEFAULT_URL, AsJson, Collection, Url, client
from sightline_local.commands.output import print_json, print_table, size_of, source_name


def duplicates(
    scan: Annotated[bool, typer.Option("--scan", help="Look for duplicates first, and wait.")] = False,
    kind: Annotated[
        Literal["exact", "perceptual", "semantic"],
        typer.Option(help="exact: the same bytes; perceptual: look the same; semantic: show the same."),
    ] = "perceptual",
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many groups.")] = 20,
    collection: Collection = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """List groups of pictures that are duplicates of one another."""
    api = client(url)
    if scan:
        job = api.post("/v1/duplicates/scan", {"collection": collection})
        (ended,) = follow_jobs(api, [job["id"]], quiet=json, doing="scanning")
        if ended["state"] != "succeeded":
            raise typer.Exit(1)
    found = api.get("/v1/duplicates", {"kind": kind, "limit": limit, "collection": collection})
    print_json(found) if json else _print_groups(found)


def _print_groups(found: Any) -> None:
    if found["computed_at"] is None:
        Console(stderr=True).print("No scan has been made: sightline duplicates --scan")
        return
    rows = [
        (str(number), source_name([source]), size_of(image), image["id"])
        for number, group in enumerate(found["items"], 1)
        for image in group["images"]
        for source in image["sources"]
    ]
    print_table(("group", "picture", "size", "id"), rows)
    Console(stderr=True).print(
        f"{len(found['items'])} of {found['groups_found']} groups, as of {found['computed_at']}."
    )
