"""The end of a batch: points get what they lack, and say what became of the items."""

from collections.abc import Mapping, Sequence

from sightline.errors import ImageNotFound
from sightline.identity import point_id, source_key
from sightline.index import StoredPoint, VectorIndex
from sightline.media import MediaStore
from sightline.payload import Source
from sightline.queue.deletions import Deletions
from sightline.queue.jobs import BatchOutcome, Failure, Job
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
        uploads = [point_id(one.item.sha256) for one in failures if one.item.sha256]
        times = self._deletions.times(collection, ids + uploads)
        deleted = {one for one, at in times.items() if at > job.created_at}
        stored = self._stored(job, ids, times.keys() - deleted)
        withdrawn = {one for one in deleted.intersection(ids) if not _is_of_another(stored.get(one), job)}
        self._take_back(collection, withdrawn, stored)
        kept = [one for one in read if one.point_id not in withdrawn]
        self._complete(job, kept, stored)
        # An upload whose stored copy was deleted with its picture did not fail.
        failed = [one for one in failures if not (one.item.sha256 and point_id(one.item.sha256) in deleted)]
        # A set: one file uploaded twice under one name is one new picture, also where the point does not say
        # which of the two made it.
        indexed = len({one.point_id for one in kept if _made_by(stored[one.point_id], job, one)})
        return BatchOutcome(
            indexed=indexed,
            unchanged=len(kept) - indexed,
            canceled=len(read) - len(kept) + len(failures) - len(failed),
            failures=tuple(failed),
        )

    def _stored(self, job: Job, ids: Sequence[str], deleted_before: set[str]) -> Mapping[str, StoredPoint]:
        """The points as they are; those that were deleted before this job was made are back by it.

        Their deletion is over, so that no older job takes them back from under this one. One may just have:
        they are read again afterwards, and missed then.
        """
        collection = job.request.collection
        stored = self._index.retrieve(collection, ids)
        if back := sorted(deleted_before & stored.keys()):
            self._deletions.forget_until(collection, back, job.created_at)
            stored = self._index.retrieve(collection, ids)
        return stored

    def _take_back(self, collection: str, ids: set[str], stored: Mapping[str, StoredPoint]) -> None:
        """Delete again what somebody deleted while this job brought it in.

        An original stays: whoever sent the same bytes since waits for it, and nobody can tell its copy from
        ours. Without a point it is shown to nobody, and it goes with the next deletion of its picture.
        """
        for one in ids:
            self._media.delete_thumbnail(collection, one)
        if ours := sorted(ids & stored.keys()):
            self._writer.delete(collection, ours)

    def _complete(self, job: Job, read: Sequence[ReadPicture], stored: Mapping[str, StoredPoint]) -> None:
        """Give points the sources they lack, and what the job brings; raises PointsGone."""
        gone = {one.point_id for one in read} - stored.keys()
        gone |= self._add_sources(job.request.collection, read, stored)
        if job.request.on_duplicate == "update":
            gone |= self._update(job, read, stored)
        if gone:
            raise PointsGone(len(gone))

    def _add_sources(
        self, collection: str, read: Sequence[ReadPicture], stored: Mapping[str, StoredPoint]
    ) -> set[str]:
        """Add the sources that points lack; the ids of points that went with their last one meanwhile."""
        # The live version tells nothing of its twin, which a batch that broke off may have left out.
        all_of_them = self._writer.has_twin(collection)
        missing: dict[str, dict[str, Source]] = {}
        for one in read:
            key = source_key(one.source.uri)
            if one.point_id in stored and (all_of_them or key not in stored[one.point_id].payload.sources):
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


def tags_of(job: Job, item: Item) -> tuple[str, ...]:
    """The tags of a job and of one of its items, each once."""
    return tuple(dict.fromkeys((*job.request.tags, *item.tags)))


def _is_of_another(stored: StoredPoint | None, job: Job) -> bool:
    """Whether a point is there that this job did not make, and so may not take back.

    Somebody may have brought it in since; whether it is older than the deletion that it survived cannot be
    told from what an import brought.
    """
    return stored is not None and stored.payload.first_indexed.job != job.id


def _made_by(stored: StoredPoint, job: Job, read: ReadPicture) -> bool:
    made = stored.payload.first_indexed
    is_item = made.item in (None, read.item.number)
    return is_item and (made.job, made.source) == (job.id, source_key(read.source.uri))
