"""The end of a batch: points get what they lack, and say what became of the items."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sightline.errors import ImageNotFound
from sightline.identity import point_id, source_key
from sightline.index import StoredPoint, VectorIndex
from sightline.media import MediaStore
from sightline.payload import FirstIndexed, Source
from sightline.queue.deletions import Deletions
from sightline.queue.jobs import BatchOutcome, Failure, Job, made_at_of
from sightline.queue.sources import Item
from sightline.writing import PointWriter
from sightline_embedder.errors import PointsGone
from sightline_embedder.read_ahead import ReadPicture


class BatchCompleter:
    """Completes the points of batches and counts. Safe to call from several threads."""

    def __init__(
        self, index: VectorIndex, writer: PointWriter, media: MediaStore, deletions: Deletions
    ) -> None:
        self._index = index
        self._writer = writer
        self._media = media
        self._deletions = deletions

    def outcome(self, job: Job, read: Sequence[ReadPicture], failures: Sequence[Failure]) -> BatchOutcome:
        """Complete the points, and count by what the points themselves say.

        Two embedders may have inserted the same picture: the point names the one that did. Raises
        PointsGone when points were removed meanwhile, as a file's last source may be.
        """
        collection = job.request.collection
        ids = list({one.point_id for one in read})
        stored = self._index.retrieve(collection, ids)
        gone = set(ids) - stored.keys()
        gone |= self._add_sources(collection, read, stored)
        if job.request.on_duplicate == "update":
            gone |= self._update(job, read, stored)
        uploads = [point_id(one.item.sha256) for one in failures if one.item.sha256]
        deleted = self._deleted(job, ids + uploads)
        self._take_back(collection, read, deleted)
        gone -= deleted
        if gone:
            raise PointsGone(len(gone))
        kept = [one for one in read if one.point_id not in deleted]
        # An upload whose stored copy was deleted with its picture did not fail.
        failed = [one for one in failures if not (one.item.sha256 and point_id(one.item.sha256) in deleted)]
        # A set: one file uploaded twice under one name is one new picture.
        indexed = len({one.point_id for one in kept if _made_by(stored[one.point_id], job, one)})
        return BatchOutcome(
            indexed=indexed,
            unchanged=len(kept) - indexed,
            canceled=len(read) - len(kept) + len(failures) - len(failed),
            failures=tuple(failed),
        )

    def _deleted(self, job: Job, ids: Sequence[str]) -> set[str]:
        """What was deleted while it came in, but not what a later job has brought back since."""
        collection = job.request.collection
        times = self._deletions.times(collection, ids)
        deleted = {one for one, at in times.items() if at > job.created_at}
        back = self._index.retrieve(collection, list(deleted)) if deleted else {}
        return {one for one in deleted if one not in back or not _is_later(back[one], times[one])}

    def _add_sources(
        self, collection: str, read: Sequence[ReadPicture], stored: Mapping[str, StoredPoint]
    ) -> set[str]:
        """Add the sources that points lack; the ids of points that went with their last one meanwhile."""
        missing: dict[str, dict[str, Source]] = {}
        for one in read:
            key = source_key(one.source.uri)
            if one.point_id in stored and key not in stored[one.point_id].payload.sources:
                missing.setdefault(one.point_id, {})[key] = one.source
        if not missing:
            return set()
        self._writer.add_sources(collection, missing)
        return missing.keys() - self._index.retrieve(collection, list(missing)).keys()

    def _update(self, job: Job, read: Sequence[ReadPicture], stored: Mapping[str, StoredPoint]) -> set[str]:
        """Give pictures that were there before the tags and metadata that came now; which are gone."""
        gone: set[str] = set()
        for one in read:
            point = stored.get(one.point_id)
            if point is None or point.payload.first_indexed.job == job.id:
                continue
            tags, metadata = tags_of(job, one.item), job.request.metadata | one.item.metadata
            values = ({"tags": list(tags)} if tags else {}) | ({"metadata": metadata} if metadata else {})
            if values:
                try:
                    self._writer.set_payload(job.request.collection, one.point_id, values)
                except ImageNotFound:
                    gone.add(one.point_id)
        return gone

    def _take_back(self, collection: str, read: Sequence[ReadPicture], deleted: set[str]) -> None:
        """Delete again what somebody deleted while it came in."""
        if deleted:
            self._writer.delete(collection, list(deleted))
        for one in read:
            if one.point_id in deleted:
                self._media.delete(collection, one.point_id, one.sha256)


def tags_of(job: Job, item: Item) -> tuple[str, ...]:
    """The tags of a job and of one of its items, each once."""
    return tuple(dict.fromkeys((*job.request.tags, *item.tags)))


def _is_later(stored: StoredPoint, moment: datetime) -> bool:
    """Whether the job that made a point was made after a moment; what was imported may be older."""
    made_at = made_at_of(stored.payload.first_indexed.job)
    return made_at is not None and made_at > moment


def _made_by(stored: StoredPoint, job: Job, read: ReadPicture) -> bool:
    made = FirstIndexed(job=job.id, source=source_key(read.source.uri))
    return stored.payload.first_indexed == made
