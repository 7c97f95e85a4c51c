"""An import of points that were made elsewhere: they are checked and inserted, and nothing is encoded."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from sightline.disk_room import check_room
from sightline.errors import BadRequest, CollectionNotFound, SpaceMismatch
from sightline.index import Point, VectorIndex
from sightline.media import MediaStore
from sightline.portable.places import PortablePlaces
from sightline.queue.deletions import Deletions
from sightline.queue.jobs import Job
from sightline.queue.ledger import Ledger
from sightline.queue.migrations import Migrations
from sightline.queue.sources import PointsSource
from sightline.writing import PointWriter
from sightline_embedder.errors import JobOver, SourceError
from sightline_embedder.portable.intents import ImportIntents
from sightline_embedder.portable.pages import PointsPage, PointsReader
from sightline_embedder.prefetching import prefetched
from sightline_embedder.steps import Step

_DONE = "done"


@dataclass(frozen=True)
class _PreparedPage:
    """A page by point id, those of its points that are to be made, and those that somebody deleted."""

    page: PointsPage
    points: Mapping[str, Point]
    new: Set[str]
    deleted: Set[str]

    @property
    def cursor(self) -> str:
        return self.page.cursor


OpenReader = Callable[[Job, PointsSource], PointsReader]


class PointsImport:
    """Imports into collections. Safe to call from several threads.

    Points are only ever inserted: what is there already stays as it is and counts as unchanged. Raises
    Unavailable when Redis, the index or the media store does not answer, and StorageFull.
    """

    def __init__(
        self,
        index: VectorIndex,
        media: MediaStore,
        ledger: Ledger,
        deletions: Deletions,
        intents: ImportIntents,
        migrations: Migrations,
        writer: PointWriter,
        places: PortablePlaces,
        open_reader: OpenReader,
        min_free_bytes: int,
    ) -> None:
        self._index = index
        self._media = media
        self._ledger = ledger
        self._deletions = deletions
        self._intents = intents
        self._migrations = migrations
        self._writer = writer
        self._places = places
        self._open_reader = open_reader
        self._min_free_bytes = min_free_bytes

    def steps(self, job: Job, asked: PointsSource, after: str | None) -> Iterator[Step]:
        """The steps after a cursor; doing one twice equals doing it once.

        Raises SourceError as readers do, `space_mismatch` where the collection holds another space, and
        `migration_under_way` while it has two versions: what is imported has a vector for one.
        """
        if after != _DONE:
            reader = self._open_reader(job, asked)
            self._keep(asked)
            # While it rested the collection may have been migrated.
            self._ensure_collection(job, reader)
            yield from self._pages(job, asked, reader, after)
            yield Step(_DONE)
        # Only now that the end is recorded: who goes on after a crash before it reads the files again.
        self._intents.forget(job.id)
        if asked.upload is not None:
            self._places.forget(self._places.upload(asked.upload))

    def _pages(
        self, job: Job, asked: PointsSource, reader: PointsReader, after: str | None
    ) -> Iterator[Step]:
        try:
            with prefetched(self._prepared(job, asked, reader.pages(after))) as pages:
                for page in pages:
                    yield self._taken_in(job, page)
                    self._intents.forget_page(job.id, page.cursor)
        except CollectionNotFound as error:  # deleted meanwhile
            raise SourceError("collection_not_found", str(error)) from error

    def _keep(self, asked: PointsSource) -> None:
        """Keep the files of a long import from being taken for forgotten ones."""
        if asked.upload is not None:
            self._places.keep_upload(asked.upload)

    def _ensure_collection(self, job: Job, reader: PointsReader) -> None:
        try:
            self._index.ensure_collection(reader.spec(job.request.collection))
        except SpaceMismatch as error:
            raise SourceError("space_mismatch", str(error)) from error
        except BadRequest as error:
            raise SourceError("import_unfit", str(error)) from error

    def _check_version(self, job: Job, page: PointsPage) -> None:
        """Raise `migration_under_way` where there is one, with nothing left of the page."""
        collection = job.request.collection
        if migration := self._migrations.of(collection):
            self._withdraw(job, page)
            detail = (
                f"Collection '{collection}' is being migrated ({migration.id}), and points are imported with "
                f"a vector of one model. Finish or abort that, and import again: what came in stays."
            )
            raise SourceError("migration_under_way", detail)

    def _withdraw(self, job: Job, page: PointsPage) -> None:
        """Delete what was inserted of a page, now or before a crash; points that others made stay."""
        collection = job.request.collection
        ours = {point.id: point.payload.first_indexed for point in reversed(page.points)}
        noted = self._intents.noted(job.id, page.cursor) or set()
        stored = self._index.retrieve(collection, sorted(noted))
        came = [one for one, point in stored.items() if point.payload.first_indexed == ours.get(one)]
        if came:
            self._delete(collection, came)

    def _prepared(
        self, job: Job, asked: PointsSource, pages: Iterator[PointsPage]
    ) -> Generator[_PreparedPage, None, None]:
        """Pages of which all but the points is in place; one is prepared while another's points go in."""
        going_in: Set[str] = frozenset()
        for page in pages:
            self._check_version(job, page)
            self._keep(asked)
            prepared = self._prepare(job, page, going_in)
            going_in = prepared.new
            yield prepared

    def _prepare(self, job: Job, page: PointsPage, going_in: Set[str]) -> _PreparedPage:
        collection = job.request.collection
        check_room(self._media, self._min_free_bytes)
        # Of two rows of one point the first is the one.
        points = {point.id: point for point in reversed(page.points)}
        deleted = self._deletions.since(collection, list(points), job.created_at)
        new = self._new(job, page.cursor, points.keys() - going_in) - deleted
        self._media.put_thumbnails(
            collection, {one: page.thumbnails[one] for one in new & page.thumbnails.keys()}
        )
        return _PreparedPage(page, points, new, deleted)

    def _new(self, job: Job, cursor: str, ids: Set[str]) -> set[str]:
        """Those of a page's points that it makes, or was going to make before a crash."""
        noted = self._intents.noted(job.id, cursor)
        if noted is not None:
            return noted
        stored = self._index.retrieve(job.request.collection, list(ids))
        return self._intents.note(job.id, cursor, ids - stored.keys())

    def _taken_in(self, job: Job, prepared: _PreparedPage) -> Step:
        collection = job.request.collection
        page, new = prepared.page, prepared.new
        if self._ledger.plan_state(job.id).final:
            raise JobOver(job.id)
        try:
            self._index.insert(collection, [prepared.points[one] for one in prepared.points if one in new])
        except SpaceMismatch as error:
            raise SourceError("space_mismatch", str(error)) from error
        if self._ledger.plan_state(job.id).final:
            self._withdraw(job, page)
            raise JobOver(job.id)
        gone = self._take_back(job, new)
        # One that began after the last look may have passed these points already.
        self._check_version(job, page)
        self._deletions.forget_until(collection, sorted(new - gone), job.created_at)
        rows = len(page.points)
        canceled = len((prepared.deleted | gone) & prepared.points.keys())
        indexed = len(new - gone)
        return Step(
            page.cursor,
            indexed=indexed,
            unchanged=rows - indexed - canceled,
            canceled=canceled,
            failed=page.failed,
        )

    def _take_back(self, job: Job, new: Set[str]) -> set[str]:
        """Delete again what somebody deleted while it came in."""
        collection = job.request.collection
        gone = self._deletions.since(collection, list(new), job.created_at)
        if gone:
            self._delete(collection, sorted(gone))
        return gone

    def _delete(self, collection: str, ids: Sequence[str]) -> None:
        for point_id in ids:
            self._media.delete_thumbnail(collection, point_id)
        self._writer.delete(collection, ids)
