"""The planning of a migration: what of a collection has still to be made again in the new version.

    copy    every point of the live version, oldest first; those that the new one lacks go into batches
    compare when no batch is in flight: the same again, and points that say different things are settled
    extra   points of the new version that the live one has not are deleted

Pictures that come in meanwhile go into both versions, and changes too. Comparing begins again until it finds
nothing: then both hold the same, whatever a crash or a slow writer left out, and the migration is ready.
"""

from collections.abc import Generator, Iterator, Sequence

from sightline.index import StoredPoint, VectorIndex
from sightline.queue.jobs import Job
from sightline.queue.migrations import Migration, Migrations, MigrationState
from sightline.queue.sources import MigrationSource, PictureRef, SourceKind
from sightline_embedder.migrating.carrying import differs, settle
from sightline_embedder.steps import Step

_COPY, _COMPARE, _EXTRA, _DONE = "copy", "compare", "extra", "done"
_END = "-"
"""No cursor of the index."""
_COMPARED_AT_ONCE = 256


class MigrationPlan:
    """Plans migrations. Safe to call from several threads; raises Unavailable."""

    def __init__(self, index: VectorIndex, migrations: Migrations, *, batch_pictures: int) -> None:
        self._index = index
        self._migrations = migrations
        self._batch_pictures = batch_pictures

    def is_held_up(self, source: MigrationSource) -> bool:
        """Whether nothing more is to be planned for now."""
        return self._migrations.get(source.migration).state in (MigrationState.PAUSED, MigrationState.FAILED)

    def steps(self, job: Job, source: MigrationSource, after: str | None) -> Iterator[Step]:
        """The steps after a cursor; doing one twice equals doing it once."""
        migration = self._migrations.get(source.migration)
        if migration.state is not MigrationState.BUILDING:
            return  # It was found ready before a crash, or is on its way out.
        phase, found, position = _read_cursor(after)
        if phase == _COPY:
            yield from self._copy(migration, position)
            yield Step(_cursor(_COMPARE), alone=True)
            phase, found, position = _COMPARE, 0, None
        while phase != _DONE:
            if phase == _COMPARE:
                found = yield from self._compare(migration, found, position)
                # Points that are missing are being made: what is extra is looked for without them.
                yield Step(_cursor(_EXTRA, found), alone=True)
                position = None
            found = yield from self._extra(migration, found, position)
            if found:
                yield Step(_cursor(_COMPARE), alone=True)
                phase, found, position = _COMPARE, 0, None
            else:
                self._migrations.move(migration.id, MigrationState.READY, job=job.id)
                yield Step(_cursor(_DONE))
                phase = _DONE

    def _copy(self, migration: Migration, cursor: str | None) -> Iterator[Step]:
        for points, following in self._pages(migration.old, cursor, self._batch_pictures):
            held = self._index.retrieve(migration.new, [point.id for point in points])
            refs = [_ref(point) for point in points if point.id not in held]
            yield Step(_cursor(_COPY, 0, following or _END), refs, unchanged=len(points) - len(refs))

    def _compare(self, migration: Migration, found: int, cursor: str | None) -> Generator[Step, None, int]:
        """Find points that the new version lacks or has otherwise; how many."""
        lost = self._migrations.lost(migration.id)
        for points, following in self._pages(migration.old, cursor, _COMPARED_AT_ONCE):
            held = self._index.retrieve(migration.new, [point.id for point in points])
            missing = [point for point in points if point.id not in held and point.id not in lost]
            unlike = [one for one in points if one.id in held and differs(one.payload, held[one.id].payload)]
            if unlike:
                settle(self._index, migration.old, migration.new, [point.id for point in unlike])
            found += len(missing) + len(unlike)
            refs = [_ref(point) for point in missing]
            yield Step(_cursor(_COMPARE, found, following or _END), refs)
        return found

    def _extra(self, migration: Migration, found: int, cursor: str | None) -> Generator[Step, None, int]:
        """Delete points that only the new version has; how many."""
        for points, following in self._pages(migration.new, cursor, _COMPARED_AT_ONCE):
            ids = [point.id for point in points]
            extra = sorted(set(ids) - self._index.retrieve(migration.old, ids).keys())
            if extra:
                settle(self._index, migration.old, migration.new, extra)
            found += len(extra)
            yield Step(_cursor(_EXTRA, found, following or _END))
        return found

    def _pages(
        self, version: str, cursor: str | None, limit: int
    ) -> Iterator[tuple[Sequence[StoredPoint], str | None]]:
        if cursor == _END:
            return
        while True:
            page = self._index.browse(version, sort="indexed_at", limit=limit, cursor=cursor, filter=None)
            yield page.points, page.next_cursor
            cursor = page.next_cursor
            if cursor is None:
                return


def _ref(point: StoredPoint) -> PictureRef:
    source = next(iter(point.payload.sources.values()), None)
    if source is None:
        return PictureRef(kind=SourceKind.UPLOAD, uri=f"sha256:{point.payload.sha256}", point_id=point.id)
    return PictureRef(kind=SourceKind(source.kind), uri=source.uri, point_id=point.id)


def _cursor(phase: str, found: int = 0, position: str = "") -> str:
    return f"{phase} {found} {position}"


def _read_cursor(cursor: str | None) -> tuple[str, int, str | None]:
    if cursor is None:
        return _COPY, 0, None
    phase, found, position = cursor.split(" ", 2)
    return phase, int(found), position or None
