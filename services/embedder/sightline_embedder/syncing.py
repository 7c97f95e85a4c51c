"""Folder sync: the index follows a folder, and reads of it only what changed.

A sync goes through phases, all of them steps of planning, so that any embedder can go on after a crash:

    seed    once for a folder: its files that the index knows of are noted
    scan    known files that are gone are noted as departures
    list    files with the stamp they had are counted as unchanged, all others go into batches
    sweep   when the last batch has ended, departures are taken off their points

In this order a renamed file keeps its point: whatever the scan found gone was renamed before listing
began, so that listing found it under its new name.
"""

import stat
from collections.abc import Iterator, Sequence
from itertools import islice

from redis import Redis

from sightline.errors import CollectionNotFound
from sightline.file_uri import path_of
from sightline.identity import source_key
from sightline.index import Page, VectorIndex
from sightline.media import MediaStore
from sightline.queue.jobs import Job
from sightline.queue.sources import FolderSource, PictureRef, SourceKind
from sightline.queue.sync_state import Departure, FileStamp, SyncState
from sightline.writing import PointWriter
from sightline_embedder.recording import uri_below
from sightline_embedder.sources import Listed, Source
from sightline_embedder.steps import Step
from sightline_embedder.sweeping import Sweep, is_gone
from sightline_embedder.synced_folder import check_folder, folder_empty

_SEED, _SCAN, _LIST, _SWEEP = "seed", "scan", "list", "sweep"
_AT_ONCE = 512
"""Files compared in one exchange with Redis and the index, and points browsed in one."""


class FolderSync:
    """Syncs of all folders; safe to call from several threads.

    Every method raises Unavailable when Redis, the index or the media store does not answer.
    """

    def __init__(
        self,
        redis: Redis,
        index: VectorIndex,
        writer: PointWriter,
        media: MediaStore,
        *,
        batch_pictures: int,
    ) -> None:
        self._redis = redis
        self._index = index
        self._writer = writer
        self._media = media
        self._batch_pictures = batch_pictures

    def steps(self, job: Job, folder: FolderSource, listing: Source, after: str | None) -> Iterator[Step]:
        """The steps after a cursor. Doing one twice equals doing it once.

        Raises SourceError as `listing` does, and `folder_empty` where there is no picture left in a folder
        with known files: it is more likely that its disk is not mounted. The embedder that goes on with a
        scan or a sweep may be another than the one that lists, so these look for themselves.
        """
        phase, _, position = (after or _SEED).partition(" ")
        state = self._state(job, folder)
        if phase == _SEED:
            if state.begin():
                yield from self._seed(job, folder, state, position)
            phase, position = _SCAN, ""
        if phase == _SCAN:
            yield from _scan(folder, state, position)
            phase, position = _LIST, ""
        if phase == _LIST:
            yield from self._list(job, folder, state, listing, position)
            yield Step(_SWEEP, alone=True)
            position = ""
        sweep = Sweep(job.request.collection, folder, state, self._writer, self._media)
        for cursor in sweep.run(int(position or 0), _AT_ONCE):
            yield Step(f"{_SWEEP} {cursor}")

    def _state(self, job: Job, folder: FolderSource) -> SyncState:
        return SyncState(self._redis, job.request.collection, folder.path)

    def _seed(self, job: Job, folder: FolderSource, state: SyncState, position: str) -> Iterator[Step]:
        below = uri_below(folder.path)
        cursor = position or None
        while True:
            page = self._page(job.request.collection, cursor)
            state.seed(
                Departure(point.id, source.uri)
                for point in page.points
                for source in point.payload.sources.values()
                if source.kind == SourceKind.FOLDER and source.uri.startswith(below)
            )
            cursor = page.next_cursor
            if cursor is None:
                break
            yield Step(f"{_SEED} {cursor}")
        state.set_seeded()
        yield Step(_SCAN)

    def _page(self, collection: str, cursor: str | None) -> Page:
        try:
            return self._index.browse(
                collection, sort="indexed_at", limit=_AT_ONCE, cursor=cursor, filter=None
            )
        except CollectionNotFound:
            return Page([], None)

    def _list(
        self, job: Job, folder: FolderSource, state: SyncState, listing: Source, position: str
    ) -> Iterator[Step]:
        listed = listing.list(position or None)
        cursor, changed, unchanged = position, list[PictureRef](), 0
        while found := list(islice(listed, _AT_ONCE)):
            for one, is_same in zip(found, self._compare(job, state, found), strict=True):
                cursor = one.cursor
                if is_same:
                    unchanged += 1
                else:
                    changed.append(one.ref)
                if len(changed) == self._batch_pictures:
                    yield Step(f"{_LIST} {cursor}", changed, unchanged)
                    changed, unchanged = [], 0
            if unchanged >= _AT_ONCE:
                yield Step(f"{_LIST} {cursor}", changed, unchanged)
                changed, unchanged = [], 0
        if changed or unchanged:
            yield Step(f"{_LIST} {cursor}", changed, unchanged)
        if not cursor and (known := state.count()):
            raise folder_empty(folder, known)

    def _compare(self, job: Job, state: SyncState, found: Sequence[Listed]) -> Sequence[bool]:
        """Which of the files listed have the stamp they had, and are still sources of their points."""
        uris = [one.ref.uri for one in found]
        held = [
            one if one is not None and one.stamp is not None and one.stamp == _stamp(uri) else None
            for uri, one in zip(uris, state.known(uris), strict=True)
        ]
        ids = {one.point_id for one in held if one is not None}
        try:
            points = self._index.retrieve(job.request.collection, list(ids)) if ids else {}
        except CollectionNotFound:
            points = {}
        return [
            one is not None
            and one.point_id in points
            and source_key(uri) in points[one.point_id].payload.sources
            for uri, one in zip(uris, held, strict=True)
        ]


def _scan(folder: FolderSource, state: SyncState, position: str) -> Iterator[Step]:
    cursor = int(position or 0)
    while True:
        cursor, files = state.scan(cursor, _AT_ONCE)
        gone = [Departure(one.point_id, uri) for uri, one in files.items() if is_gone(uri)]
        if gone:
            # Only now: the disk may have gone while its files were looked for.
            check_folder(folder, state.count())
            state.depart(gone)
        if cursor == 0:
            break
        yield Step(f"{_SCAN} {cursor}")
    yield Step(_LIST)


def _stamp(uri: str) -> FileStamp | None:
    """The stamp of the file that a URI leads to, where there is one and it can be seen."""
    try:
        about = path_of(uri).stat()
    except OSError:
        return None
    return FileStamp.of(about) if stat.S_ISREG(about.st_mode) else None
