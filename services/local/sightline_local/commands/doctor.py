"""`sightline doctor`: what a first user most often gets wrong, checked, each with its remedy."""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from sightline.errors import SightlineError
from sightline.settings import read_settings
from sightline_local.commands.options import DEFAULT_DATA, AsJson
from sightline_local.commands.output import print_json, print_table

OLDEST_PYTHON = (3, 11)
FREE_DISK_BYTES = 2 << 30
FREE_MEMORY_BYTES = 2 << 30


@dataclass(frozen=True)
class Finding:
    """One check: `detail` says what was found and, if it is not ok, what to do."""

    check: str
    ok: bool
    detail: str


def doctor(
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 8000,
    data: Annotated[Path, typer.Option(help="Folder for everything that is kept.")] = DEFAULT_DATA,
    json: AsJson = False,
) -> None:
    """Check whether Sightline can run here. Exit status 1 if something is wrong."""
    folder = data.expanduser()
    checks: Sequence[tuple[str, Callable[[], str]]] = (
        ("python", _python),
        ("settings", _settings),
        ("data folder", lambda: _data_folder(folder)),
        ("disk", lambda: _disk(folder)),
        ("memory", _memory),
        ("port", lambda: _port(host, port)),
        ("redis", _redis),
        ("model", lambda: _model(folder)),
    )
    findings = [_run(name, check) for name, check in checks]
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [(one.check, "ok" if one.ok else "WRONG", one.detail) for one in findings]
        print_table(("check", "", "found"), rows)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


class _WrongError(Exception):
    """A check failed; `str()` says what to do."""


def _run(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, detail=check())
    except (_WrongError, SightlineError, OSError) as error:
        return Finding(name, ok=False, detail=str(error))


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise _WrongError(f"Python {version} is too old. Use 3.11 or newer.")
    return version


def _settings() -> str:
    read_settings()
    return "the SIGHTLINE_ variables of the environment are valid"


def _data_folder(folder: Path) -> str:
    place = _existing(folder)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise _WrongError(f"{place} is not a folder that can be written. Choose another folder with --data.")
    return str(folder)


def _disk(folder: Path) -> str:
    free = shutil.disk_usage(_existing(folder)).free
    found = f"{free / 1e9:.0f} GB free"
    if free < FREE_DISK_BYTES:
        raise _WrongError(
            f"{found}: too little for a model and an index. Free some, or choose another --data."
        )
    return found


def _memory() -> str:
    import psutil

    free = psutil.virtual_memory().available
    found = f"{free / 1e9:.1f} GB available"
    if free < FREE_MEMORY_BYTES:
        raise _WrongError(f"{found}: the services need about 2 GB.")
    return found


def _port(host: str, port: int) -> str:
    from sightline_local.running import check_port

    check_port(host, port)
    return f"{port} on {host} is free"


def _redis() -> str:
    from sightline_local.redis_child import find_redis_binary

    return find_redis_binary()


def _model(folder: Path) -> str:
    from sightline_local.model_choice import decide

    return str(decide(read_settings().model, folder / "models"))


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())
