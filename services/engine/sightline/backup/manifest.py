"""What a backup is on disk: a folder with a manifest, which is written last."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sightline.atomic_files import AtomicFile, make_folder, unavailable_when_failing
from sightline.errors import BackupError

MANIFEST = "backup.json"
INDEX, MEDIA, MODELS, RECORDS = "index", "media", "models", "records.msgpack"
SERVICE = "The folder of the backup"


class BackupManifest(BaseModel):
    """What a backup holds: of which kind of `index`, and how many `records` of Redis."""

    model_config = ConfigDict(frozen=True)

    format: Literal["sightline-backup"] = "sightline-backup"
    version: Literal[1] = 1
    index: Literal["edge", "qdrant"]
    created_at: datetime
    records: int
    media_files: int
    media_bytes: int
    media_url: str | None = None
    """The bucket in which originals and thumbnails stayed; None: the backup has them."""


@contextmanager
def new_backup(folder: Path) -> Iterator[Path]:
    """The folder that a backup is made in; it has its name once it is whole, and is removed if it is not.

    Raises BackupError if there is something of that name.
    """
    if folder.exists():
        raise BackupError(f"There is something at {folder} already. Name a new folder for the backup.")
    draft = folder.with_name(f"{folder.name}.unfinished")
    with unavailable_when_failing(SERVICE):
        if draft.exists():
            shutil.rmtree(draft)
        make_folder(draft)
    try:
        yield draft
        with unavailable_when_failing(SERVICE):
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_manifest(
    folder: Path,
    index: Literal["edge", "qdrant"],
    records: int,
    media: tuple[int, int],
    media_url: str | None,
) -> BackupManifest:
    """Write what a backup in `folder` holds; `media` is how many files it has, and how many bytes."""
    manifest = BackupManifest(
        index=index,
        created_at=datetime.now(UTC),
        records=records,
        media_files=media[0],
        media_bytes=media[1],
        media_url=media_url,
    )
    with AtomicFile(SERVICE, folder) as file:
        file.write(manifest.model_dump_json(indent=2).encode() + b"\n")
        file.finish(folder / MANIFEST, durable=True)
    return manifest


def read_manifest(folder: Path, index: Literal["edge", "qdrant"]) -> BackupManifest:
    """What the backup in `folder` holds; raises BackupError for one that is none, or is of another index."""
    try:
        manifest = BackupManifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise BackupError(
            f"{folder} is no backup that this version reads: its {MANIFEST} is missing or foreign."
        ) from error
    if manifest.index != index:
        raise BackupError(
            f"The backup in {folder} is of another kind of index ({manifest.index}, not {index}). To move to "
            f"it, restore the backup where it fits, and export and import from there."
        )
    return manifest
