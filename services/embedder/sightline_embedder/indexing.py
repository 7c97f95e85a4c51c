"""The pipeline: a batch of references becomes points, and every one of them gets an outcome."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from sightline.decoder import Decoded, PictureDecoder
from sightline.encoder import Vectors
from sightline.errors import BadPicture, CollectionNotFound
from sightline.identity import source_key
from sightline.index import Point, VectorIndex
from sightline.media import MediaStore
from sightline.payload import FirstIndexed, GeoPoint, Payload
from sightline.queue.deletions import Deletions
from sightline.queue.jobs import Batch, BatchOutcome, Failure, Job
from sightline.queue.sources import SourceKind
from sightline.queue.sync_state import FileState
from sightline.writing import PointWriter
from sightline_embedder.completing import BatchCompleter, tags_of
from sightline_embedder.embedding import Destination, Destinations, EmbeddingModel
from sightline_embedder.errors import DestinationsChanged
from sightline_embedder.migrating.carrying import carried, settle
from sightline_embedder.read_ahead import ReadAhead, ReadPicture, failure_of
from sightline_embedder.reading import PictureReader
from sightline_embedder.recording import FileRecorder
from sightline_embedder.stages import Stage, Telemetry


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
        destinations: Destinations,
        writer: PointWriter,
        index: VectorIndex,
        media: MediaStore,
        deletions: Deletions,
        recorder: FileRecorder,
        telemetry: Telemetry,
    ) -> None:
        self._ahead = ReadAhead(reader, decoder, index, telemetry)
        self._telemetry = telemetry
        self._destinations = destinations
        self._index = index
        self._media = media
        self._deletions = deletions
        self._completer = BatchCompleter(index, writer, media, deletions)
        self._recorder = recorder

    def run(self, job: Job, batch: Batch) -> BatchOutcome:
        """Index a batch and say what became of each item; doing it twice says the same.

        Raises Unavailable when a service does not answer, PointsGone when points were removed meanwhile, and
        DestinationsChanged when a migration began; no picture is blamed for that.
        """
        collection = job.request.collection
        destinations = self._destinations.of(collection)
        failures: list[Failure] = []
        read: list[ReadPicture] = []
        for one in self._ahead.read(collection, batch.items, destinations):
            if isinstance(one, Failure):
                failures.append(one)
            else:
                read.append(one)
        failed_points = self._index_new(job, read, failures, destinations)
        if self._destinations.beyond(collection, destinations):
            raise DestinationsChanged(collection)
        present = [one for one in read if one.point_id not in failed_points]
        with self._telemetry.tracer.span("complete", {"pictures": len(present)}):
            outcome = self._completer.outcome(job, present, failures)
            files = [one for one in read if one.item.kind is SourceKind.FOLDER]
            self._recorder.record(job, {one.item.uri: _state(one, failed_points) for one in files})
        return outcome

    def _index_new(
        self,
        job: Job,
        read: Sequence[ReadPicture],
        failures: list[Failure],
        destinations: Sequence[Destination],
    ) -> set[str]:
        """Encode and insert the new pictures; the ids of those that could not be decoded."""
        new: dict[str, _New] = {}
        failed: set[str] = set()
        decoding = [one for one in read if one.decoding is not None]
        for one in decoding:
            assert one.decoding is not None
            # Raised here, it would hold this frame, which holds it: the batch would stay until the next full
            # collection of garbage.
            error = one.decoding.exception()
            if isinstance(error, BadPicture):
                failures.append(failure_of(one.item, error))
                failed.add(one.point_id)
            else:
                new.setdefault(one.point_id, _New(one, one.decoding.result()))
        if decoding:
            facts = {"pictures": len(decoding), "failed": len(failed)}
            self._telemetry.tracer.passed(Stage.DECODE.value, decoding[0].read_at_ns, facts)
        if new:
            live, *twins = destinations
            self._insert(job, self._wanted(job, new), live)
            for place, twin in enumerate(twins):
                self._insert_beside(list(new.values()), live, twin, place)
        return failed

    def _wanted(self, job: Job, new: Mapping[str, _New]) -> Sequence[_New]:
        """Those that nobody deleted since the job was made: they do not come back even for a moment."""
        deleted = self._deletions.since(job.request.collection, list(new), job.created_at)
        return [one for point_id, one in new.items() if point_id not in deleted]

    def _insert(self, job: Job, new: Sequence[_New], live: Destination) -> None:
        if not new:
            return
        collection = job.request.collection
        vectors = self._encoded(live.model, [one.decoded.views for one in new])
        with self._telemetry.stage(Stage.THUMBNAIL, len(new)):
            made = {one.read.point_id: one.decoded.thumbnail for one in new}
            self._media.put_thumbnails(
                collection, {key: data for key, data in made.items() if data is not None}
            )
        with self._telemetry.stage(Stage.UPSERT, len(new)):
            self._index.insert(live.version, list(_points(job, new, vectors, live.model)))

    def _insert_beside(self, new: Sequence[_New], live: Destination, twin: Destination, place: int) -> None:
        """Insert new pictures into the version that a migration keeps too, as the live one has them now."""
        decoded = {one.read.point_id: one.decoded for one in new}
        stored = self._index.retrieve(live.version, list(decoded))
        if not stored:
            return
        vectors = self._encoded(twin.model, [decoded[one].other_views[place] for one in stored])
        tags = twin.model.tags(vectors)
        points = [
            carried(one, vector, twin.model, shown)
            for one, vector, shown in zip(stored.values(), vectors, tags, strict=True)
        ]
        try:
            self._index.insert(twin.version, points)
            settle(self._index, live.version, twin.version, list(stored))
        except CollectionNotFound:
            return  # The migration was aborted or finished meanwhile, and one version is gone.

    def _encoded(self, model: EmbeddingModel, views: Sequence[NDArray[np.uint8]]) -> Vectors:
        with self._telemetry.stage(Stage.ENCODE, len(views)):
            vectors = model.encode(np.stack(views))
        self._telemetry.observer.pictures_encoded(len(views))
        return vectors


def _points(job: Job, new: Sequence[_New], vectors: Vectors, model: EmbeddingModel) -> Iterator[Point]:
    now = datetime.now(UTC)
    manifest = model.encoder.manifest
    auto_tags = model.tags(vectors)
    for one, vector, shown in zip(new, vectors, auto_tags, strict=True):
        info, source = one.decoded.info, one.read.source
        key = source_key(source.uri)
        payload = Payload(
            sha256=one.read.sha256,
            space=manifest.space,
            model=manifest.name,
            numerics=model.encoder.numerics,
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
            first_indexed=FirstIndexed(job=job.id, source=key, item=one.read.item.number),
        )
        yield Point(one.read.point_id, vector, payload)


def _state(read: ReadPicture, failed_points: set[str]) -> FileState:
    return FileState(read.point_id, None if read.point_id in failed_points else read.stamp)
