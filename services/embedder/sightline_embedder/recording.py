"""What batches found in files, recorded for the syncs of folders."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from redis import Redis

from sightline.file_uri import uri_of
from sightline.queue.jobs import Job
from sightline.queue.sources import FolderSource
from sightline.queue.sync_state import Departure, FileState, SyncState, synced_folders


def follows_folder(job: Job) -> FolderSource | None:
    """The folder that the job syncs the index with, if that is what it does."""
    source = job.request.source
    return source if isinstance(source, FolderSource) and source.sync else None


def uri_below(folder: str) -> str:
    """What the URIs of all files below a folder begin with."""
    return uri_of(Path(folder)).rstrip("/") + "/"


class FileRecorder:
    """Records what files are. Safe to call from several threads; raises Unavailable without Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def record(self, job: Job, files: Mapping[str, FileState]) -> None:
        """Note what a batch found in files, by URI, once it has written its points.

        A folder that is synced by another job is left as it was, but its next sync will look whether
        the points still have these sources.
        """
        collection, own = job.request.collection, follows_folder(job)
        for folder in synced_folders(self._redis, collection) if files else ():
            below = uri_below(folder)
            found = {uri: file for uri, file in files.items() if uri.startswith(below)}
            state = SyncState(self._redis, collection, folder)
            if own is not None and own.path == folder:
                state.record(found)
            else:
                state.depart(_unknown(state, found))


def _unknown(state: SyncState, files: Mapping[str, FileState]) -> Iterator[Departure]:
    for (uri, file), known in zip(files.items(), state.known(list(files)), strict=True):
        if known is None or known.point_id != file.point_id:
            yield Departure(file.point_id, uri)
