"""Options that many subcommands share."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sightline_local.client import DEFAULT_URL, ApiClient, ApiFailure
from sightline_local.patient_client import PatientApiClient

Url = Annotated[str, typer.Option("--url", envvar="SIGHTLINE_URL", help="Where the API is.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Collection = Annotated[str | None, typer.Option(help="Collection; the API's default if left out.")]
Limit = Annotated[int, typer.Option(min=1, max=200, help="How many results.")]
FilterJson = Annotated[str | None, typer.Option("--filter", help="The filter tree as JSON.")]
DEFAULT_DATA = Path("~/.local/share/sightline")

__all__ = [
    "DEFAULT_DATA",
    "DEFAULT_URL",
    "AsJson",
    "Collection",
    "FilterJson",
    "Limit",
    "Url",
    "client",
    "filter_tree",
    "patient_client",
]


def filter_tree(text: str | None) -> Any:
    """The filter of a command line, as JSON, or None."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--filter is not JSON: {error}") from error


def client(url: str) -> ApiClient:
    """A client with the key of SIGHTLINE_API_KEY, if there is one."""
    return ApiClient(url, os.environ.get("SIGHTLINE_API_KEY"))


def patient_client(url: str) -> PatientApiClient:
    """As `client`, and it says on standard error for how long it waits, and why."""
    return PatientApiClient(url, os.environ.get("SIGHTLINE_API_KEY"), _print_wait)


def _print_wait(failure: ApiFailure, wait_s: float) -> None:
    Console(stderr=True).print(
        f"{failure} Trying again in {wait_s:.0f} s.", style="yellow", markup=False, highlight=False
    )
