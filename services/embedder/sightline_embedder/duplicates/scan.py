"""A scan of a collection for duplicates.

Every picture is looked at once, page by page: how many files it comes from, its nearest others by vector in
the index, and the copies among the pictures before it by perceptual hash. Nothing compares all with all.
Pages are steps of planning, so that any embedder can go on after a crash; the groups are made and published
with the last.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sightline.index import StoredPoint, VectorIndex
from sightline.likeness import DuplicateKind
from sightline.look import look_of
from sightline.queue.duplicates import Duplicates, Pair
from sightline.queue.jobs import Job
from sightline.queue.sources import DuplicatesSource
from sightline_embedder.duplicates.groups import groups_of
from sightline_embedder.duplicates.look_index import LookIndex
from sightline_embedder.errors import SourceError
from sightline_embedder.steps import Step

_SCAN, _GROUP, _DONE = "scan", "group", "done"
_PAGE = 256
_NEIGHBOURS = 16
"""Of a picture with more duplicates the others are found by what they share with these."""
MAX_PAIRS = 5_000_000
"""Of one kind: 640 MB in Redis while a scan goes on, and up to 3 GB in the embedder that groups them."""


class DuplicateScan:
    """Scans of all collections. Safe to call from several threads.

    Every method raises Unavailable when Redis or the index does not answer.
    """

    def __init__(self, index: VectorIndex, duplicates: Duplicates, max_pairs: int = MAX_PAIRS) -> None:
        self._index = index
        self._duplicates = duplicates
        self._max_pairs = max_pairs

    def steps(self, job: Job, asked: DuplicatesSource, after: str | None) -> Iterator[Step]:
        """The steps after a cursor; doing one twice equals doing it once.

        Raises SourceError, `too_many_pairs`, where a threshold lets more through than are kept.
        """
        phase, _, position = (after or _SCAN).partition(" ")
        if phase == _SCAN:
            yield from self._scan(job, asked, position or None)
        if phase != _DONE:
            self._group(job)
            yield Step(_DONE)

    def _scan(self, job: Job, asked: DuplicatesSource, cursor: str | None) -> Iterator[Step]:
        looks = LookIndex(asked.perceptual_bits)
        if cursor is not None:
            self._see_again(job.request.collection, looks, cursor)
        while True:
            points, following = self._page(job.request.collection, cursor)
            # One for each picture at most, and no threshold would make them fewer.
            self._duplicates.add_pairs(job.id, DuplicateKind.EXACT, _same_bytes(points))
            self._add(job, asked, DuplicateKind.PERCEPTUAL, _copies(looks, points))
            self._add(job, asked, DuplicateKind.SEMANTIC, self._alike(job, asked, points))
            if following is None:
                yield Step(_GROUP, unchanged=len(points))
                return
            cursor = following
            yield Step(f"{_SCAN} {cursor}", unchanged=len(points))

    def _add(self, job: Job, asked: DuplicatesSource, kind: DuplicateKind, pairs: Iterator[Pair]) -> None:
        if self._duplicates.add_pairs(job.id, kind, pairs) > self._max_pairs:
            self._duplicates.give_up(job.id)
            raise SourceError("too_many_pairs", _too_many(kind, asked, self._max_pairs))

    def _see_again(self, collection: str, looks: LookIndex, until: str) -> None:
        """Take in what was seen before a crash; pictures that are seen twice are told by their ids."""
        cursor: str | None = None
        while cursor != until:
            points, cursor = self._page(collection, cursor)
            _take_in(looks, points)
            if cursor is None:
                return

    def _page(self, collection: str, cursor: str | None) -> tuple[Sequence[StoredPoint], str | None]:
        page = self._index.browse(collection, sort="indexed_at", limit=_PAGE, cursor=cursor, filter=None)
        return page.points, page.next_cursor

    def _alike(self, job: Job, asked: DuplicatesSource, points: Sequence[StoredPoint]) -> Iterator[Pair]:
        found = self._index.neighbours(job.request.collection, [point.id for point in points], _NEIGHBOURS)
        for point_id, near in found.items():
            yield from ((point_id, one.id) for one in near if one.score >= asked.semantic_cosine)

    def _group(self, job: Job) -> None:
        latest = self._duplicates.latest(job.request.collection)
        if latest is not None and latest.job == job.id:
            return  # Published before a crash, when the pairs were forgotten.
        groups = {kind: groups_of(self._duplicates.pairs(job.id, kind)) for kind in DuplicateKind}
        self._duplicates.publish(job.request.collection, job.id, groups, datetime.now(UTC))


def _too_many(kind: DuplicateKind, asked: DuplicatesSource, limit: int) -> str:
    if kind is DuplicateKind.SEMANTIC:
        held, remedy = f"semantic_cosine {asked.semantic_cosine}", "Raise semantic_cosine"
    else:
        held, remedy = f"perceptual_bits {asked.perceptual_bits}", "Lower perceptual_bits"
    return f"More than {limit:,} pairs of pictures are {kind} duplicates at {held}. {remedy} and scan again."


def _same_bytes(points: Sequence[StoredPoint]) -> Iterator[Pair]:
    return ((point.id, point.id) for point in points if len(point.payload.sources) > 1)


def _copies(looks: LookIndex, points: Sequence[StoredPoint]) -> Iterator[Pair]:
    """Pairs among these pictures and those seen before; these count as seen afterwards."""
    _take_in(looks, points)
    seen = [(point.id, look) for point in points if (look := look_of(point.payload)) is not None]
    for (point_id, _), copies in zip(seen, looks.copies([look for _, look in seen]), strict=True):
        yield from ((point_id, copy) for copy in copies if copy != point_id)


def _take_in(looks: LookIndex, points: Sequence[StoredPoint]) -> None:
    seen = [(point.id, look) for point in points if (look := look_of(point.payload)) is not None]
    looks.add([point_id for point_id, _ in seen], [look for _, look in seen])
