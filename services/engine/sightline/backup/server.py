"""A backup of a Sightline on servers: snapshots of Qdrant, the records in Redis, originals and thumbnails.

Records are taken first and files last: whatever the records say is indexed is in the index that is taken
after them, and files are there before the points that they belong to.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from sightline.atomic_files import unavailable_when_failing
from sightline.backup.manifest import (
    INDEX,
    MEDIA,
    RECORDS,
    SERVICE,
    BackupManifest,
    new_backup,
    read_manifest,
    write_manifest,
)
from sightline.backup.media import check_media, put_media, take_media
from sightline.backup.portable import put_portable, take_portable
from sightline.backup.records import dump_records, require_no_records, restore_records
from sightline.errors import BackupError, CollectionNotFound, SettingsError
from sightline.index.server.snapshots import QdrantSnapshots
from sightline.settings import Settings

_ALIASES = "aliases.json"
_SNAPSHOT = ".snapshot"


def take_backup(settings: Settings, folder: Path) -> BackupManifest:
    """Take a backup into a new folder; raises BackupError, Unavailable and StorageFull."""
    qdrant_url, redis_url = _services(settings)
    snapshots = _snapshots(settings, qdrant_url)
    snapshots.require_one_node()
    with new_backup(folder) as draft:
        records = dump_records(redis_url, draft / RECORDS)
        with unavailable_when_failing(SERVICE):
            (draft / INDEX).mkdir()
            _take_index(snapshots, partial(_collections, settings, qdrant_url), draft / INDEX)
        media = take_media(settings, draft)
        take_portable(settings.data_dir, draft)
        return write_manifest(draft, "qdrant", records, media, settings.media_url)


def restore_backup(settings: Settings, folder: Path) -> BackupManifest:
    """Put a backup into an empty Qdrant, Redis and data folder; raises as `take_backup` does."""
    qdrant_url, redis_url = _services(settings)
    manifest = read_manifest(folder, "qdrant")
    check_media(settings, manifest)
    snapshots = _snapshots(settings, qdrant_url)
    snapshots.require_one_node()
    require_no_records(redis_url)
    if there := _collections(settings, qdrant_url):
        raise BackupError(
            f"Qdrant has collections of Sightline already ({', '.join(there)}). Restore into an empty one."
        )
    put_media(folder / MEDIA, settings)
    held = {one.name.removesuffix(_SNAPSHOT): one for one in (folder / INDEX).glob(f"*{_SNAPSHOT}")}
    for name, file in sorted(held.items()):
        snapshots.put_back(name, file)
    with unavailable_when_failing(SERVICE):
        aliases = json.loads((folder / INDEX / _ALIASES).read_text())
    snapshots.set_aliases({alias: name for alias, name in aliases.items() if name in held})
    restore_records(redis_url, folder / RECORDS)
    # An embedder that runs already would delete what belongs to no job that it knows of.
    put_portable(folder, settings.data_dir)
    return manifest


def _take_index(snapshots: QdrantSnapshots, collections: Callable[[], list[str]], folder: Path) -> None:
    """Take all collections, and what stands for them; what is dropped meanwhile is left out."""
    taken: set[str] = set()
    while True:
        aliases = snapshots.aliases()
        there = collections()
        missing = [name for name in there if name not in taken]
        # Both are of one moment only where nothing was switched in between: else a name would be lost.
        if not missing and snapshots.aliases() == aliases:
            break
        taken |= {name for name in missing if snapshots.take(name, folder / f"{name}{_SNAPSHOT}")}
    for dropped in taken.difference(there):
        (folder / f"{dropped}{_SNAPSHOT}").unlink()
    # Others may have theirs on the same server.
    ours = {alias: name for alias, name in aliases.items() if name in there}
    (folder / _ALIASES).write_text(json.dumps(ours))


def _services(settings: Settings) -> tuple[str, str]:
    if settings.qdrant_url is None or settings.redis_url is None:
        raise SettingsError("SIGHTLINE_QDRANT_URL and SIGHTLINE_REDIS_URL have to name what is backed up.")
    return settings.qdrant_url, settings.redis_url


def _snapshots(settings: Settings, url: str) -> QdrantSnapshots:
    key = settings.qdrant_api_key
    return QdrantSnapshots(url, key.get_secret_value() if key else None)


def _collections(settings: Settings, url: str) -> list[str]:
    """Every collection on the server that Sightline made, by the name that it has there."""
    # Imported here: its client is slow to import.
    from sightline.index.server.engine import QdrantServer

    key = settings.qdrant_api_key
    server = QdrantServer.at(url, api_key=key.get_secret_value() if key else None, timeout_s=30)
    try:
        found = []
        for name in server.collections.names():
            with suppress(CollectionNotFound):  # dropped just now
                if server.collections.is_ours(name):
                    found.append(name)
        return found
    finally:
        server.close()
