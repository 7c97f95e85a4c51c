"""`sightline backup`, `sightline restore` and `sightline move`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sightline.backup.manifest import BackupManifest
from sightline.settings import read_settings
from sightline_local.commands.options import DEFAULT_DATA, AsJson
from sightline_local.commands.output import print_json

Data = Annotated[Path, typer.Option(help="Data folder of the embedded stack; not of servers.")]


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for the backup.")],
    data: Data = DEFAULT_DATA,
    json: AsJson = False,
) -> None:
    """Back up everything, while it runs or not: index, records, originals, thumbnails, models.

    Where SIGHTLINE_QDRANT_URL is set: that server, and the Redis and the data folder of the settings.
    """
    from sightline.backup import server
    from sightline_local import embedded_backup

    settings = read_settings()
    target = folder.expanduser().resolve()
    if settings.qdrant_url is not None:
        taken = server.take_backup(settings, target)
    else:
        taken = embedded_backup.take_backup(data, target, settings)
    _tell(taken, f"The backup is in {folder}", json=json)


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A backup.")],
    data: Data = DEFAULT_DATA,
    json: AsJson = False,
) -> None:
    """Put a backup into an empty data folder, or where SIGHTLINE_QDRANT_URL is set into empty servers."""
    from sightline.backup import server
    from sightline_local import embedded_backup

    settings = read_settings()
    if settings.qdrant_url is not None:
        done = server.restore_backup(settings, folder.expanduser().resolve())
    else:
        done = embedded_backup.restore_backup(folder.expanduser().resolve(), data, settings)
    _tell(done, f"The backup of {done.created_at:%Y-%m-%d %H:%M} UTC is restored", json=json)


def move(
    data: Annotated[
        Path, typer.Option("--from", help="Data folder of the embedded stack, which is stopped.")
    ],
    json: AsJson = False,
) -> None:
    """Copy an embedded stack's collections to the Qdrant server that SIGHTLINE_QDRANT_URL names.

    Originals and thumbnails go to SIGHTLINE_MEDIA_URL or SIGHTLINE_DATA_DIR. Doing it again goes on where it
    broke off.
    """
    from sightline_local.moving import move as move_all

    console = Console(stderr=True, quiet=json)
    moved = move_all(
        data, read_settings(), lambda name, done, total: console.print(f"{name}: {done} of {total} points")
    )
    if json:
        print_json({"points": moved.points, "files": moved.files, "bytes": moved.bytes})
        return
    for name, points in moved.points.items():
        typer.echo(f"{points} points of {name} are on the server.")
    typer.echo(f"{moved.files} files of originals and thumbnails were copied.")


def _tell(manifest: BackupManifest, what: str, *, json: bool) -> None:
    if json:
        print_json(manifest.model_dump(mode="json"))
        return
    media = f"{manifest.media_files} originals and thumbnails ({manifest.media_bytes / 1e6:.1f} MB)"
    if manifest.media_url is not None:
        media = f"no originals and thumbnails, which stay in {manifest.media_url}"
    typer.echo(f"{what}: the index, {manifest.records} records, {media}.")
