"""The pipeline: a batch of references becomes points, and every one of them gets an outcome."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import numpy as np

from sightline.decoder import Decoded, PictureDecoder
from sightline.encoder import Encoder, Vectors
from sightline.errors import BadPicture
from sightline.identity import point_id, sha256_of, source_key
from sightline.index import Point, StoredPoint, VectorIndex
from sightline.media import MediaStore
from sightline.payload import FirstIndexed, Payload, Source
from sightline.queue.jobs import Batch, BatchOutcome, Failure, Job
from sightline.queue.messages import Item
from sightline_embedder.reading import PictureReader, RawPicture

READ_AHEAD_PICTURES = 8
"""Files read and looked up together; bounds the bytes held before decoding."""


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
    ) -> None:
        self._reader = reader
        self._decoder = decoder
        self._encoder = encoder
        self._index = index
        self._media = media

    def run(self, job: Job, batch: Batch) -> BatchOutcome:
        """Index a batch and say what became of each item; doing it twice says the same.

        Raises Unavailable when a service does not answer; no picture is blamed for that.
        """
        failures: list[Failure] = []
        read = list(self._read_all(job, batch, failures))
        failed_points = self._index_new(job, read, failures)
        indexed = [one for one in read if one.point_id not in failed_points]
        return self._outcome(job, indexed, failures)

    def _read_all(self, job: Job, batch: Batch, failures: list[Failure]) -> Iterator[_Read]:
        """Read and look up the items; decoding of new pictures starts while the next are read."""
        decoding: dict[str, Future[Decoded]] = {}
        items = iter(batch.items)
        while ahead := list(islice(items, READ_AHEAD_PICTURES)):
            raw: list[tuple[Item, RawPicture, str]] = []
            for item in ahead:
                try:
                    picture = self._reader.read(job.request.collection, item)
                except BadPicture as error:
                    failures.append(_failure(item, error))
                else:
                    raw.append((item, picture, sha256_of(picture.data)))
            known = self._index.retrieve(job.request.collection, [point_id(sha256) for _, _, sha256 in raw])
            for item, picture, sha256 in raw:
                point = point_id(sha256)
                if point not in known and point not in decoding:
                    decoding[point] = self._decoder.submit(picture.data)
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
                tags=job.request.tags,
                metadata=job.request.metadata | one.read.item.metadata,
                sources={key: source},
                first_indexed=FirstIndexed(job=job.id, source=key),
            )
            yield Point(one.read.point_id, vector, payload)

    def _outcome(self, job: Job, read: Sequence[_Read], failures: Sequence[Failure]) -> BatchOutcome:
        """Add the sources that points lack, and count by what the points themselves say.

        Two embedders may have inserted the same picture: the point names the one that did.
        """
        collection = job.request.collection
        stored = self._index.retrieve(collection, list({one.point_id for one in read}))
        missing: dict[str, dict[str, Source]] = {}
        for one in read:
            key = source_key(one.source.uri)
            if one.point_id in stored and key not in stored[one.point_id].payload.sources:
                missing.setdefault(one.point_id, {})[key] = one.source
        if missing:
            self._index.add_sources(collection, missing)
        # A set: one file uploaded twice under one name is one new picture.
        indexed = len({one.point_id for one in read if _made_by(stored.get(one.point_id), job, one)})
        return BatchOutcome(indexed=indexed, unchanged=len(read) - indexed, failures=tuple(failures))


def _made_by(stored: StoredPoint | None, job: Job, read: _Read) -> bool:
    made = FirstIndexed(job=job.id, source=source_key(read.source.uri))
    return stored is not None and stored.payload.first_indexed == made


def _source(item: Item, picture: RawPicture) -> Source:
    kind = "upload" if item.sha256 is not None else "folder"
    return Source(kind=kind, uri=item.uri, modified_at=picture.modified_at)


def _failure(item: Item, error: BadPicture) -> Failure:
    return Failure(
        number=item.number,
        source=item.uri,
        reason=error.reason,
        detail=error.detail,
        attempts=1,
        at=datetime.now(UTC),
    )
