"""`sightline up`: the embedded stack in the foreground."""

from pathlib import Path
from typing import Annotated

import typer

from sightline.logs import configure_logging
from sightline.settings import read_settings
from sightline_local.commands.options import DEFAULT_DATA
from sightline_local.errors import StartError


def up(
    host: Annotated[str | None, typer.Option(help="Address to serve on; default 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to serve on; default 8000.")
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder for everything that is kept.")] = DEFAULT_DATA,
    model: Annotated[str | None, typer.Option(help="Model: a name, or a folder.")] = None,
    photos: Annotated[
        list[Path] | None,
        typer.Option(help="Folder to allow for import and to index now; repeatable."),
    ] = None,
) -> None:
    """Run Sightline on this machine until ctrl-C."""
    from sightline_local.running import run_stack

    given = {"host": host, "port": port, "model": model}
    changed = {name: value for name, value in given.items() if value is not None}
    settings = read_settings().model_copy(update=changed)
    configure_logging(settings.log_level, "up")
    run_stack(settings, data, [_folder(path) for path in photos or []])


def _folder(path: Path) -> Path:
    # Not left to the shell: in `PHOTOS=~/Pictures` not every shell expands the tilde.
    folder = path.expanduser().resolve()
    if not folder.is_dir():
        raise StartError(f"There is no folder {folder} to index. Name another with --photos.")
    return folder
