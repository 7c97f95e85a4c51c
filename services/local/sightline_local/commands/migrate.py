"""`sightline migrate`."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sightline_local.client import ApiClient
from sightline_local.commands.options import DEFAULT_URL, AsJson, Collection, Url, client
from sightline_local.commands.output import print_json, print_table
from sightline_local.judged_queries import read_judged_queries

app = typer.Typer(
    help="Give a collection another model, precision or quantization while it serves.", no_args_is_help=True
)

MigrationId = Annotated[str, typer.Argument(metavar="ID", help="The id of a migration, as `list` shows it.")]
Judged = Annotated[
    Path | None,
    typer.Option(help="Judged queries to compare by: JSON lines, or a folder of captioned pictures."),
]
_POLL_S = 0.5
_UNDER_WAY = ("building", "paused")


@app.command("start")
def start(
    model: Annotated[
        str | None, typer.Option(help="A folder's name in the folder of models; as it is if left out.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto, f32, bf16 or int8.")] = None,
    quantization: Annotated[str | None, typer.Option(help="auto, none, int8 or turbo4.")] = None,
    collection: Collection = None,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Wait until it is ready.")] = True,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Start a migration, and watch it until it can be switched to."""
    api = client(url)
    asked = {"collection": collection, "model": model, "precision": precision, "quantization": quantization}
    body = {name: value for name, value in asked.items() if value is not None}
    started = api.post("/v1/migrations", body)
    _watched(api, started["id"], quiet=json) if watch else None
    _show(api, started["id"], json=json)


@app.command("list")
def show_all(url: Url = DEFAULT_URL, json: AsJson = False) -> None:
    """List the migrations, the newest first."""
    found = list(client(url).pages("/v1/migrations"))
    print_json(found) if json else _print(found)


@app.command("watch")
def watch(migration_id: MigrationId, url: Url = DEFAULT_URL, json: AsJson = False) -> None:
    """Watch a migration until it is ready or has failed."""
    api = client(url)
    _watched(api, migration_id, quiet=json)
    _show(api, migration_id, json=json)


@app.command("report")
def report(
    migration_id: MigrationId, judged: Judged = None, url: Url = DEFAULT_URL, json: AsJson = False
) -> None:
    """Say what a switch would change: counts, and how differently both versions answer."""
    queries = read_judged_queries(judged) if judged is not None else []
    body = {
        "judged": [
            {"query": one.text, "relevant": [sorted(wanted.names) for wanted in one.wanted]}
            for one in queries
        ]
    }
    found = client(url).post(f"/v1/migrations/{migration_id}/report", body)
    print_json(found) if json else _print_report(found)


@app.command("switch")
def switch(migration_id: MigrationId, url: Url = DEFAULT_URL, json: AsJson = False) -> None:
    """Have the new version serve."""
    _act(url, migration_id, "switch", json=json)


@app.command("rollback")
def rollback(migration_id: MigrationId, url: Url = DEFAULT_URL, json: AsJson = False) -> None:
    """Have the old version serve again."""
    _act(url, migration_id, "rollback", json=json)


@app.command("finish")
def finish(migration_id: MigrationId, url: Url = DEFAULT_URL, json: AsJson = False) -> None:
    """Delete the old version: there is no way back afterwards."""
    _act(url, migration_id, "finish", json=json)


@app.command("abort")
def abort(migration_id: MigrationId, url: Url = DEFAULT_URL, json: AsJson = False) -> None:
    """Give it up and delete the new version."""
    _act(url, migration_id, "abort", json=json)


@app.command("pause")
def pause(migration_id: MigrationId, url: Url = DEFAULT_URL, json: AsJson = False) -> None:
    """Begin on no more pictures until it is resumed."""
    _act(url, migration_id, "pause", json=json)


@app.command("resume")
def resume(migration_id: MigrationId, url: Url = DEFAULT_URL, json: AsJson = False) -> None:
    """Go on with one that was paused or has failed."""
    _act(url, migration_id, "resume", json=json)


def _act(url: str, migration_id: str, action: str, *, json: bool) -> None:
    changed = client(url).post(f"/v1/migrations/{migration_id}/{action}", None)
    print_json(changed) if json else _print([changed])


def _watched(api: ApiClient, migration_id: str, *, quiet: bool) -> None:
    columns = (TextColumn("encoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, quiet=quiet)) as progress:
        bar = progress.add_task("encoding", total=None)
        while True:
            found = api.get(f"/v1/migrations/{migration_id}")
            if (how_far := found["progress"]) is not None:
                done = how_far["points_new"] + sum(how_far["lost"].values())
                progress.update(bar, completed=done, total=how_far["points_old"])
            if found["state"] not in _UNDER_WAY:
                return
            time.sleep(_POLL_S)


def _show(api: ApiClient, migration_id: str, *, json: bool) -> None:
    found = api.get(f"/v1/migrations/{migration_id}")
    print_json(found) if json else _print([found])
    if found["state"] == "failed":
        raise typer.Exit(1)


def _print(found: Sequence[Any]) -> None:
    print_table(
        ("id", "collection", "model", "state", "old", "new", "from thumbnails", "lost"),
        [
            [one["id"], one["collection"], one["model"], one["state"], *_figures(one["progress"])]
            for one in found
        ],
    )
    for one in found:
        if one["detail"]:
            Console(stderr=True).print(f"[yellow]{one['detail']}")


def _figures(progress: Any) -> list[str]:
    if progress is None:
        return ["", "", "", ""]
    counts = [str(progress[name]) for name in ("points_old", "points_new", "from_thumbnails")]
    return [*counts, str(sum(progress["lost"].values()))]


def _print_report(found: Any) -> None:
    rows = [
        ("points", str(found["points_old"]), str(found["points_new"])),
        ("of them from thumbnails", "", str(found["from_thumbnails"])),
        *((f"lost: {reason}", "", str(count)) for reason, count in found["lost"].items()),
    ]
    if (judged := found["judged"]) is not None:
        for figure in ("recall_at_10", "ndcg_at_10"):
            old, new = (f"{judged[version][figure]:.3f}" for version in ("old", "new"))
            rows.append((f"{figure} of {judged['queries']} judged queries", old, new))
    print_table(("", "old", "new"), rows)
    for name, of in (("live_queries", "searches of late"), ("pictures", "stored pictures as queries")):
        share, queries = found[name]["overlap_at_10"], found[name]["queries"]
        said = "none to compare by" if share is None else f"{share:.3f} of the first 10 hits are the same"
        Console().print(f"{queries} {of}: {said}")
