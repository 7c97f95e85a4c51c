"""`sightline keys`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from sightline_local.commands.options import DEFAULT_URL, AsJson, Url, client
from sightline_local.commands.output import print_json, print_table

app = typer.Typer(help="Make, list and revoke keys of the API.", no_args_is_help=True)

_LIMIT = "as 600/minute; else SIGHTLINE_RATE_LIMIT"
_QUOTA = "pictures, as 100000/day; else SIGHTLINE_INGEST_QUOTA"


@app.command("make")
def make(
    name: Annotated[str, typer.Argument(help="Whom or what it is for.")],
    scope: Annotated[Literal["read", "write", "admin"], typer.Option(help="What it may do.")] = "read",
    collection: Annotated[
        list[str] | None, typer.Option(help="The only collections it may use; may be repeated.")
    ] = None,
    expires: Annotated[datetime | None, typer.Option(help="When it ends, in local time.")] = None,
    rate_limit: Annotated[str | None, typer.Option(help=f"Requests it may send, {_LIMIT}.")] = None,
    ingest_quota: Annotated[str | None, typer.Option(help=f"What it may bring in: {_QUOTA}.")] = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Make a key and print it, this once."""
    body = {
        "name": name,
        "scope": scope,
        "collections": collection or None,
        "expires_at": expires.astimezone().isoformat() if expires else None,
        "rate_limit": rate_limit,
        "ingest_quota": ingest_quota,
    }
    made = client(url).post("/v1/keys", body)
    if json:
        print_json(made)
        return
    # On its own line, so that a script can take it.
    typer.echo(made["key"])
    note = "Nobody can see it again. Programs send it as a header, `Authorization: Bearer KEY`"
    Console(stderr=True).print(f"{note}; this command does if it is SIGHTLINE_API_KEY.")


@app.command("list")
def show(url: Url = DEFAULT_URL, json: AsJson = False) -> None:
    """List the keys, without what they are."""
    found = list(client(url).pages("/v1/keys"))
    print_json(found) if json else _print_keys(found)


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id of a key, as `list` shows it.")],
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Revoke a key: within seconds it opens nothing, and no session that was opened with it."""
    client(url).delete(f"/v1/keys/{key_id}")
    print_json({"revoked": key_id}) if json else typer.echo(f"Key {key_id} is revoked.")


def _print_keys(found: Sequence[Any]) -> None:
    print_table(
        ("id", "name", "scope", "collections", "expires", "last used"),
        [
            (
                key["id"],
                key["name"],
                key["scope"],
                ", ".join(key["collections"] or ["all"]),
                key["expires_at"] or "never",
                key["last_used_at"] or "never",
            )
            for key in found
        ],
    )
