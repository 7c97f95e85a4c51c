"""A backup of an embedded stack: taken while it runs or not, restored into an empty data folder.

Records are taken first and files last: whatever the records say is indexed is in the index that is copied
after them, and files are there before the points that they belong to.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sightline.backup.folders import copy_files
from sightline.backup.manifest import (
    INDEX,
    MEDIA,
    MODELS,
    RECORDS,
    BackupManifest,
    new_backup,
    read_manifest,
    write_manifest,
)
from sightline.backup.media import check_media, put_media, take_media
from sightline.backup.portable import put_portable, take_portable
from sightline.backup.records import dump_records, require_no_records, restore_records
from sightline.errors import BackupError
from sightline.index.edge.client import EdgeClient
from sightline.settings import Settings
from sightline_local.data_folder import DataFolder, data_folder_at, open_data_folder
from sightline_local.errors import StartError
from sightline_local.index_process import index_process
from sightline_local.redis_child import RedisChild


def take_backup(data: Path, folder: Path, settings: Settings) -> BackupManifest:
    """Back up a data folder into a new folder; `settings` say where media are.

    Raises BackupError, StartError, Unavailable and StorageFull.
    """
    if not data_folder_at(data).index.is_dir():
        raise BackupError(f"There is no data of Sightline in {data}. Name its data folder with --data.")
    with new_backup(folder) as draft, _found(data) as (there, runs):
        with _redis(there, runs) as redis_url:
            records = dump_records(redis_url, draft / RECORDS)
        with _index(there, runs) as index:
            index.copy_to(draft / INDEX)
        media = take_media(_at(settings, there), draft)
        take_portable(there.root, draft)
        copy_files(there.models, draft / MODELS)
        return write_manifest(draft, "edge", records, media, settings.media_url)


def restore_backup(folder: Path, data: Path, settings: Settings) -> BackupManifest:
    """Restore a backup into an empty data folder, or one that is not there; raises as `take_backup` does."""
    manifest = read_manifest(folder, "edge")
    check_media(settings, manifest)
    root = data_folder_at(data).root
    if root.exists() and any(root.iterdir()):
        raise BackupError(f"Data folder {root} is not empty. Restore into a new one.")
    with open_data_folder(data) as there:
        put_media(folder / MEDIA, _at(settings, there))
        copy_files(folder / MODELS, there.models)
        copy_files(folder / INDEX, there.index)
        with _redis(there, runs=False) as redis_url:
            require_no_records(redis_url)
            restore_records(redis_url, folder / RECORDS)
        # What belongs to no job that is known of is deleted by an embedder.
        put_portable(folder, there.root)
    return manifest


def _at(settings: Settings, folder: DataFolder) -> Settings:
    return settings.model_copy(update={"data_dir": folder.root})


@contextmanager
def _found(data: Path) -> Iterator[tuple[DataFolder, bool]]:
    """The data folder, held unless a stack runs on it; the second value is whether one does."""
    try:
        held = open_data_folder(data)
        folder = held.__enter__()
    except StartError:
        folder = data_folder_at(data)
        if not folder.index_socket.exists():
            raise
        yield folder, True
        return
    try:
        yield folder, False
    finally:
        held.__exit__(None, None, None)


@contextmanager
def _index(folder: DataFolder, runs: bool) -> Iterator[EdgeClient]:
    """The index on a data folder, whose process is started meanwhile if no stack runs.

    A stack that was killed leaves one that still flushes: the new one waits until that has ended.
    """
    if runs:
        with closing(EdgeClient(folder.index_socket)) as client:
            yield client
    else:
        with index_process(folder.index, folder.index_socket, {}) as (_, client):
            client.collections()  # Waits until it answers, as copying does not.
            yield client


@contextmanager
def _redis(folder: DataFolder, runs: bool) -> Iterator[str]:
    """The address of the Redis on a data folder, which is started meanwhile if no stack runs."""
    redis = RedisChild(folder)
    if runs:
        yield redis.url
        return
    redis.ensure()
    try:
        yield redis.url
    finally:
        redis.stop()
