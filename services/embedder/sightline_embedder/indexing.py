"""The pipeline: a batch of references becomes points, and every one of them gets an outcome."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import numpy as np

from sightline.decoder import Decoded, PictureDecoder
from sightline.encoder import Encoder, Vectors
from sightline.errors import BadPicture, FailureReason
from sightline.identity import point_id, sha256_of, source_key
from sightline.index import Point, StoredPoint, VectorIndex
from sightline.media import MediaStore
from sightline.payload import FirstIndexed, Payload, Source
from sightline.queue.deletions import Deletions
from sightline.queue.jobs import Batch, BatchOutcome, Failure, Job
from sightline.queue.sources import Item
from sightline_embedder.errors import PointsGone
from sightline_embedder.reading import PictureReader, RawPicture

READ_AHEAD_PICTURES = 8
"""Pictures read at once and looked up together; bounds the bytes held before decoding."""
UNDECODED_BYTES = 256 << 20
"""No more is read while more than this waits to be decoded."""

_NEVER_A_PICTURE = frozenset({FailureReason.NOT_AN_IMAGE, FailureReason.TRUNCATED, FailureReason.EMPTY})
"""Reasons that hold for these bytes whatever the settings: a retry needs no copy of them."""


@dataclass(frozen=True)
class _Read:
    """An item whose bytes were read; `decoding` is None when its point exists already."""

    item: Item
    sha256: str
    point_id: str
    source: Source
    decoding: "Future[Decoded] | None"


@dataclass(frozen=True)
class _New:
    """A picture that is not in the collection yet, decoded."""

    read: _Read
    decoded: Decoded


class BatchIndexer:
    """Indexes batches; safe to call from several threads, so that one decodes while another encodes."""

    def __init__(
        self,
        *,
        reader: PictureReader,
        decoder: PictureDecoder,
        encoder: Encoder,
        index: VectorIndex,
        media: MediaStore,
        deletions: Deletions,
    ) -> None:
        self._reader = reader
        self._decoder = decoder
        self._encoder = encoder
        self._index = index
        self._media = media
        self._deletions = deletions
        self._readers = ThreadPoolExecutor(READ_AHEAD_PICTURES, "picture-reader")

    def run(self, job: Job, batch: Batch) -> BatchOutcome:
        """Index a batch and say what became of each item; doing it twice says the same.

        Raises Unavailable when a service does not answer, and PointsGone when points were removed
        meanwhile, as a file's last source may be; no picture is blamed for that.
        """
        failures: list[Failure] = []
        read = list(self._read_all(job, batch, failures))
        failed_points = self._index_new(job, read, failures)
        self._discard_originals(job.request.collection, failures)
        present = [one for one in read if one.point_id not in failed_points]
        return self._outcome(job, present, failures)

    def _read_all(self, job: Job, batch: Batch, failures: list[Failure]) -> Iterator[_Read]:
        """Read and look up the items; decoding of new pictures starts while the next are read."""
        collection = job.request.collection
        decoding: dict[str, Future[Decoded]] = {}
        undecoded: deque[tuple[Future[Decoded], int]] = deque()
        items = iter(batch.items)
        while ahead := list(islice(items, READ_AHEAD_PICTURES)):
            _await_room(undecoded)
            reading = [self._readers.submit(self._reader.read, collection, item) for item in ahead]
            raw: list[tuple[Item, RawPicture, str]] = []
            for item, future in zip(ahead, reading, strict=True):
                try:
                    picture = future.result()
                except BadPicture as error:
                    failures.append(_failure(item, error))
                else:
                    raw.append((item, picture, sha256_of(picture.data)))
            known = self._index.retrieve(collection, [point_id(sha256) for _, _, sha256 in raw])
            for item, picture, sha256 in raw:
                point = point_id(sha256)
                if point not in known and point not in decoding:
                    decoding[point] = self._decoder.submit(picture.data)
                    undecoded.append((decoding[point], len(picture.data)))
                yield _Read(item, sha256, point, _source(item, picture), decoding.get(point))

    def _index_new(self, job: Job, read: Sequence[_Read], failures: list[Failure]) -> set[str]:
        """Encode and insert the new pictures; the ids of those that could not be decoded."""
        new: dict[str, _New] = {}
        failed: set[str] = set()
        for one in read:
            if one.decoding is None:
                continue
            try:
                new.setdefault(one.point_id, _New(one, one.decoding.result()))
            except BadPicture as error:
                failures.append(_failure(one.item, error))
                failed.add(one.point_id)
        if new:
            self._insert(job, list(new.values()))
        return failed

    def _insert(self, job: Job, new: Sequence[_New]) -> None:
        collection = job.request.collection
        vectors = self._encoder.encode_views(np.stack([one.decoded.views for one in new]))
        for one in new:
            if one.decoded.thumbnail is not None:
                self._media.put_thumbnail(collection, one.read.point_id, one.decoded.thumbnail)
        self._index.insert(collection, list(self._points(job, new, vectors)))

    def _points(self, job: Job, new: Sequence[_New], vectors: Vectors) -> Iterator[Point]:
        now = datetime.now(UTC)
        manifest = self._encoder.manifest
        for one, vector in zip(new, vectors, strict=True):
            info, source = one.decoded.info, one.read.source
            key = source_key(source.uri)
            payload = Payload(
                sha256=one.read.sha256,
                space=manifest.space,
                model=manifest.name,
                numerics=self._encoder.numerics,
                format=info.format,
                width=info.width,
                height=info.height,
                bytes=info.bytes,
                taken_at=info.taken_at,
                indexed_at=now,
                sort_at=info.taken_at or source.modified_at or now,
                tags=_tags(job, one.read.item),
                metadata=job.request.metadata | one.read.item.metadata,
                sources={key: source},
                first_indexed=FirstIndexed(job=job.id, source=key),
            )
            yield Point(one.read.point_id, vector, payload)

    def _discard_originals(self, collection: str, failures: Sequence[Failure]) -> None:
        """Forget the stored copies of bytes that will never be a picture."""
        for failure in failures:
            sha256 = failure.item.sha256
            if sha256 is not None and failure.reason in _NEVER_A_PICTURE:
                self._media.delete(collection, point_id(sha256), sha256)

    def _outcome(self, job: Job, read: Sequence[_Read], failures: Sequence[Failure]) -> BatchOutcome:
        """Complete the points, and count by what the points themselves say.

        Two embedders may have inserted the same picture: the point names the one that did.
        """
        collection = job.request.collection
        ids = list({one.point_id for one in read})
        stored = self._index.retrieve(collection, ids)
        self._add_sources(collection, read, stored)
        if job.request.on_duplicate == "update":
            self._update(job, read, stored)
        deleted = self._deletions.since(collection, ids, job.created_at)
        self._take_back(collection, read, deleted)
        gone = set(ids) - stored.keys() - deleted
        if gone:
            raise PointsGone(len(gone))
        kept = [one for one in read if one.point_id not in deleted]
        # A set: one file uploaded twice under one name is one new picture.
        indexed = len({one.point_id for one in kept if _made_by(stored[one.point_id], job, one)})
        return BatchOutcome(
            indexed=indexed,
            unchanged=len(kept) - indexed,
            canceled=len(read) - len(kept),
            failures=tuple(failures),
        )

    def _add_sources(self, collection: str, read: Sequence[_Read], stored: Mapping[str, StoredPoint]) -> None:
        missing: dict[str, dict[str, Source]] = {}
        for one in read:
            key = source_key(one.source.uri)
            if one.point_id in stored and key not in stored[one.point_id].payload.sources:
                missing.setdefault(one.point_id, {})[key] = one.source
        if missing:
            self._index.add_sources(collection, missing)

    def _update(self, job: Job, read: Sequence[_Read], stored: Mapping[str, StoredPoint]) -> None:
        """Give pictures that were there before the tags and metadata that came now."""
        for one in read:
            point = stored.get(one.point_id)
            if point is None or point.payload.first_indexed.job == job.id:
                continue
            tags, metadata = _tags(job, one.item), job.request.metadata | one.item.metadata
            values = ({"tags": list(tags)} if tags else {}) | ({"metadata": metadata} if metadata else {})
            if values:
                self._index.set_payload(job.request.collection, one.point_id, values)

    def _take_back(self, collection: str, read: Sequence[_Read], deleted: set[str]) -> None:
        """Delete again what somebody deleted while it came in."""
        if deleted:
            self._index.delete(collection, list(deleted))
        for one in read:
            if one.point_id in deleted:
                self._media.delete(collection, one.point_id, one.sha256)


def _await_room(undecoded: "deque[tuple[Future[Decoded], int]]") -> None:
    while undecoded and (undecoded[0][0].done() or sum(size for _, size in undecoded) > UNDECODED_BYTES):
        wait([undecoded.popleft()[0]])


def _made_by(stored: StoredPoint, job: Job, read: _Read) -> bool:
    made = FirstIndexed(job=job.id, source=source_key(read.source.uri))
    return stored.payload.first_indexed == made


def _tags(job: Job, item: Item) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*job.request.tags, *item.tags)))


def _source(item: Item, picture: RawPicture) -> Source:
    return Source(kind=item.kind, uri=item.uri, modified_at=picture.modified_at)


def _failure(item: Item, error: BadPicture) -> Failure:
    return Failure(
        item=item,
        reason=error.reason,
        detail=error.detail,
        attempts=1,
        at=datetime.now(UTC),
    )
