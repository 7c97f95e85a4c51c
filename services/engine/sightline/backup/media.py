"""Originals and thumbnails of a backup: files from a folder, put back into a folder or a bucket.

What is in a bucket stays there and is in no backup: buckets have versions and copies of their own.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sightline.atomic_files import unavailable_when_failing
from sightline.backup.folders import copy_files
from sightline.backup.manifest import MEDIA, SERVICE, BackupManifest
from sightline.errors import BackupError
from sightline.media import MediaStore
from sightline.media_choice import open_media
from sightline.settings import Settings

_THUMBNAILS_AT_ONCE = 64


def take_media(settings: Settings, draft: Path) -> tuple[int, int]:
    """Copy what is kept in a folder into a backup; how many files that were, and how many bytes."""
    if settings.media_url is not None:
        return 0, 0
    return copy_files(settings.media_dir, draft / MEDIA)


def check_media(settings: Settings, manifest: BackupManifest) -> None:
    """Raise BackupError where the settings name no bucket, and the backup's originals are in one."""
    if manifest.media_url is not None and settings.media_url is None:
        raise BackupError(
            f"The originals and thumbnails of this backup are in {manifest.media_url}. Set "
            f"SIGHTLINE_MEDIA_URL to it, or to a copy of it."
        )


def put_media(source: Path, settings: Settings) -> tuple[int, int]:
    """Copy a media folder to where the settings keep media; how many files that were, and how many bytes.

    Raises SettingsError, Unavailable and StorageFull.
    """
    if settings.media_url is None:
        if source.exists() and settings.media_dir.exists() and source.samefile(settings.media_dir):
            return 0, 0
        return copy_files(source, settings.media_dir)
    store = open_media(settings)
    count = size = 0
    with unavailable_when_failing(SERVICE):
        for collection in sorted(source.glob("[!.]*")):
            for files, bytes_ in (_put_originals(collection, store), _put_thumbnails(collection, store)):
                count, size = count + files, size + bytes_
    return count, size


def _put_originals(collection: Path, store: MediaStore) -> tuple[int, int]:
    count = size = 0
    for path in collection.glob("originals/*/*/*"):
        data = path.read_bytes()
        store.put_original(collection.name, path.name, data)
        count, size = count + 1, size + len(data)
    return count, size


def _put_thumbnails(collection: Path, store: MediaStore) -> tuple[int, int]:
    count = size = 0
    paths: Iterator[Path] = collection.glob("thumbnails/*/*/*.webp")
    while some := {path.stem: path.read_bytes() for path in islice(paths, _THUMBNAILS_AT_ONCE)}:
        store.put_thumbnails(collection.name, some)
        count, size = count + len(some), size + sum(map(len, some.values()))
    return count, size
