"""The planning of a migration: what of a collection has still to be made again in the new version.

    copy    every point of the live version, oldest first; those that the new one lacks go into batches
    compare when no batch is in flight: the same again, and points that say different things are settled
    extra   points of the new version that the live one has not are deleted

Pictures that come in meanwhile go into both versions, and changes too. Comparing begins again until it finds
nothing that was there when it first began: then the migration is ready.

What came in since then does not count, though it is made up for in the same way. There is always some of it
while pictures come in, between its two versions. No other round has to look for it:

- What a round finds is in both versions before it ends, whoever made it: differences are settled at once, and
  the next phase waits for the batches of what was missing. A wrong clock makes more or fewer rounds, no more.
- What a round cannot find, because it was made behind its back, has a writer who makes the other half. One
  who knows of the migration writes both; one who began before it asks after its write (DestinationsChanged,
  PointWriter). If it dies between the two, its batch has no outcome, and is run again by one who knows.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from sightline.index import StoredPoint, VectorIndex
from sightline.queue.jobs import Job
from sightline.queue.migration_records import Migration, MigrationState, refused
from sightline.queue.migrations import Migrations
from sightline.queue.sources import MigrationSource, PictureRef, SourceKind
from sightline_embedder.migrating.carrying import differs, settle
from sightline_embedder.steps import Step

_COPY, _COMPARE, _EXTRA, _DONE = "copy", "compare", "extra", "done"
_END = "-"
"""No cursor of the index."""
_COMPARED_AT_ONCE = 256
_HELD_UP = frozenset({MigrationState.PAUSED, MigrationState.FAILED})


@dataclass(frozen=True)
class _Place:
    """A place in the plan: `found` counts in this round, `position` is a cursor of the index.

    `since` is when comparing first began; later points do not count.
    """

    phase: str = _COPY
    since: datetime | None = None
    found: int = 0
    position: str | None = None

    @classmethod
    def read(cls, cursor: str | None) -> Self:
        """The place of a cursor."""
        if cursor is None:
            return cls()
        phase, since, found, position = cursor.split(" ", 3)
        return cls(phase, datetime.fromisoformat(since) if since else None, int(found), position or None)

    @property
    def cursor(self) -> str:
        """What `read` reads."""
        since = self.since.isoformat() if self.since else ""
        return f"{self.phase} {since} {self.found} {self.position or ''}"

    def counts(self, point: StoredPoint) -> bool:
        """Whether a point was there when comparing began."""
        return self.since is None or point.payload.indexed_at <= self.since


class MigrationPlan:
    """Plans migrations. Safe to call from several threads; raises Unavailable."""

    def __init__(self, index: VectorIndex, migrations: Migrations, *, batch_pictures: int) -> None:
        self._index = index
        self._migrations = migrations
        self._batch_pictures = batch_pictures

    def is_held_up(self, source: MigrationSource) -> bool:
        """Whether nothing more is to be planned for now."""
        return self._migrations.get(source.migration).state in _HELD_UP

    def steps(self, job: Job, source: MigrationSource, after: str | None) -> Iterator[Step]:
        """The steps after a cursor; doing one twice equals doing it once.

        Raises MigrationRefused where it is held up, or leaves this job's hands, at this moment.
        """
        migration = self._migrations.get(source.migration)
        if migration.state in _HELD_UP:
            raise refused(migration, MigrationState.READY)
        if migration.state is not MigrationState.BUILDING:
            return  # It was found ready before a crash, or is on its way out.
        place = _Place.read(after)
        if place.phase == _COPY:
            yield from self._copy(migration, place)
            place = _Place(_COMPARE, datetime.now(UTC))
            yield Step(place.cursor, alone=True)
        while place.phase != _DONE:
            if place.phase == _COMPARE:
                place = yield from self._compare(migration, place)
                # Points that are missing are being made: what is extra is looked for without them.
                yield Step(place.cursor, alone=True)
            place = yield from self._extra(migration, place)
            if place.phase == _DONE:
                self._migrations.move(migration.id, MigrationState.READY, job=job.id)
            yield Step(place.cursor, alone=place.phase == _COMPARE)

    def _copy(self, migration: Migration, place: _Place) -> Iterator[Step]:
        for points, following in self._pages(migration.old, place.position, self._batch_pictures):
            held = self._index.retrieve(migration.new, [point.id for point in points])
            refs = [_ref(point) for point in points if point.id not in held]
            cursor = replace(place, position=following or _END).cursor
            yield Step(cursor, refs, unchanged=len(points) - len(refs))

    def _compare(self, migration: Migration, place: _Place) -> Generator[Step, None, _Place]:
        """Find points that the new version lacks or has otherwise; where to go on."""
        for points, following in self._pages(migration.old, place.position, _COMPARED_AT_ONCE):
            held = self._index.retrieve(migration.new, [point.id for point in points])
            absent = [point for point in points if point.id not in held]
            lost = self._migrations.lost.among(migration.id, [point.id for point in absent])
            missing = [point for point in absent if point.id not in lost]
            unlike = [one for one in points if one.id in held and differs(one.payload, held[one.id].payload)]
            # Somebody may have been between two writes, and is done.
            settled = self._settle(migration, [point.id for point in unlike])
            odd = [*missing, *(one for one in unlike if one.id in settled)]
            found = place.found + sum(place.counts(point) for point in odd)
            place = replace(place, found=found, position=following or _END)
            yield Step(place.cursor, [_ref(point) for point in missing])
        return _Place(_EXTRA, place.since, place.found)

    def _extra(self, migration: Migration, place: _Place) -> Generator[Step, None, _Place]:
        """Delete points that only the new version has; where to go on."""
        for points, following in self._pages(migration.new, place.position, _COMPARED_AT_ONCE):
            held = self._index.retrieve(migration.old, [point.id for point in points])
            settled = self._settle(migration, [point.id for point in points if point.id not in held])
            found = place.found + sum(place.counts(point) for point in points if point.id in settled)
            place = replace(place, found=found, position=following or _END)
            yield Step(place.cursor)
        return _Place(_COMPARE if place.found else _DONE, place.since)

    def _settle(self, migration: Migration, ids: Sequence[str]) -> set[str]:
        return settle(self._index, migration.old, migration.new, ids) if ids else set()

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
