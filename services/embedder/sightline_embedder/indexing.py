"""The pipeline: a batch of references becomes points, and every one of them gets an outcome."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from sightline.decoder import Decoded, PictureDecoder
from sightline.encoder import Encoder, Vectors
from sightline.encoder.tagging import Tagger
from sightline.errors import BadPicture
from sightline.identity import source_key
from sightline.index import Point, VectorIndex
from sightline.media import MediaStore
from sightline.payload import FirstIndexed, GeoPoint, Payload
from sightline.queue.deletions import Deletions
from sightline.queue.jobs import Batch, BatchOutcome, Failure, Job
from sightline.queue.sources import SourceKind
from sightline.queue.sync_state import FileState
from sightline_embedder.completing import BatchCompleter, tags_of
from sightline_embedder.read_ahead import ReadAhead, ReadPicture, failure_of
from sightline_embedder.reading import PictureReader
from sightline_embedder.recording import FileRecorder


@dataclass(frozen=True)
class _New:
    """A picture that is not in the collection yet, decoded."""

    read: ReadPicture
    decoded: Decoded


class BatchIndexer:
    """Indexes batches; safe to call from several threads, so that one decodes while another encodes."""

    def __init__(
        self,
        *,
        reader: PictureReader,
        decoder: PictureDecoder,
        encoder: Encoder,
        tagger: Tagger | None,
        index: VectorIndex,
        media: MediaStore,
        deletions: Deletions,
        recorder: FileRecorder,
    ) -> None:
        self._ahead = ReadAhead(reader, decoder, index)
        self._encoder = encoder
        self._tagger = tagger
        self._index = index
        self._media = media
        self._completer = BatchCompleter(index, media, deletions)
        self._recorder = recorder

    def run(self, job: Job, batch: Batch) -> BatchOutcome:
        """Index a batch and say what became of each item; doing it twice says the same.

        Raises Unavailable when a service does not answer, and PointsGone when points were removed
        meanwhile; no picture is blamed for that.
        """
        failures: list[Failure] = []
        read: list[ReadPicture] = []
        for one in self._ahead.read(job.request.collection, batch.items):
            if isinstance(one, Failure):
                failures.append(one)
            else:
                read.append(one)
        failed_points = self._index_new(job, read, failures)
        present = [one for one in read if one.point_id not in failed_points]
        outcome = self._completer.outcome(job, present, failures)
        files = [one for one in read if one.item.kind is SourceKind.FOLDER]
        self._recorder.record(job, {one.item.uri: _state(one, failed_points) for one in files})
        return outcome

    def _index_new(self, job: Job, read: Sequence[ReadPicture], failures: list[Failure]) -> set[str]:
        """Encode and insert the new pictures; the ids of those that could not be decoded."""
        new: dict[str, _New] = {}
        failed: set[str] = set()
        for one in read:
            if one.decoding is None:
                continue
            try:
                new.setdefault(one.point_id, _New(one, one.decoding.result()))
            except BadPicture as error:
                failures.append(failure_of(one.item, error))
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
        auto_tags = self._tagger.tags(vectors) if self._tagger else [()] * len(new)
        for one, vector, shown in zip(new, vectors, auto_tags, strict=True):
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
                camera=info.camera,
                location=GeoPoint(lat=info.location.lat, lon=info.location.lon) if info.location else None,
                perceptual_hash=one.decoded.perceptual_hash,
                indexed_at=now,
                sort_at=info.taken_at or source.modified_at or now,
                tags=tags_of(job, one.read.item),
                auto_tags=shown,
                metadata=job.request.metadata | one.read.item.metadata,
                sources={key: source},
                first_indexed=FirstIndexed(job=job.id, source=key),
            )
            yield Point(one.read.point_id, vector, payload)


def _state(read: ReadPicture, failed_points: set[str]) -> FileState:
    return FileState(read.point_id, None if read.point_id in failed_points else read.stamp)
