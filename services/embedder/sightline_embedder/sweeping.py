"""The sweep at the end of a folder sync: points lose the sources that are not theirs any more."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from sightline.errors import CollectionNotFound
from sightline.file_uri import path_of
from sightline.identity import source_key
from sightline.media import MediaStore
from sightline.queue.sources import FolderSource
from sightline.queue.sync_state import Departure, FileState, Settlement, SyncState
from sightline.writing import PointWriter
from sightline_embedder.synced_folder import check_folder

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Sweep:
    """Deals with the departures of one folder and collection; twice is as good as once."""

    collection: str
    folder: FolderSource
    state: SyncState
    writer: PointWriter
    media: MediaStore

    def run(self, cursor: int, at_once: int) -> Iterator[int]:
        """Deal with the departures from a cursor on, about `at_once` at a time; yields where to go on.

        Raises SourceError, and removes nothing more, where the folder is not there or holds no picture.
        """
        while True:
            cursor, departures = self.state.departures(cursor, at_once)
            if departures:
                self._settle(departures)
            if cursor == 0:
                return
            yield cursor

    def _settle(self, departures: Sequence[Departure]) -> None:
        leaving: dict[str, list[str]] = {}
        settlements: list[Settlement] = []
        held = self.state.known([one.uri for one in departures])
        for departure, file in zip(departures, held, strict=True):
            settlement, leaves = _judge(departure, file)
            if leaves:
                leaving.setdefault(departure.point_id, []).append(source_key(departure.uri))
            if settlement is not None:
                settlements.append(settlement)
        if leaving:
            # Only now: the disk may have gone while its files were looked for.
            check_folder(self.folder, self.state.count() or len(leaving))
        removed = self._remove(leaving) if leaving else 0
        self.state.settle(settlements)
        _log.info("folder_swept", collection=self.collection, departures=len(departures), removed=removed)

    def _remove(self, sources: dict[str, list[str]]) -> int:
        """Take sources off; how many points went with their last."""
        try:
            gone = self.writer.remove_sources(self.collection, sources)
        except CollectionNotFound:
            gone = set(sources)
        for point_id in gone:
            # No original: whatever has one stored has a source that no sync takes off.
            self.media.delete_thumbnail(self.collection, point_id)
        return len(gone)


def _judge(departure: Departure, file: FileState | None) -> tuple[Settlement | None, bool]:
    """What to record of a departure, and whether the point loses the source; `file` is its state now."""
    is_other = file is not None and file.point_id != departure.point_id
    if is_other:
        return Settlement(departure), True
    if is_gone(departure.uri):
        return Settlement(departure, held=file, forget=file is not None), True
    if file is None:
        # Something is there that no sync has read yet; the one that does will know.
        return None, False
    return Settlement(departure, held=file), False


def is_gone(uri: str) -> bool:
    """Whether there is certainly no file: one in a folder that may not be searched counts as there."""
    try:
        about = path_of(uri).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode)
