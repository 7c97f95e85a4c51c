"""A batch of a migration: points of the live version are made again in the new one."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from sightline.decoder import PictureDecoder, Wanted
from sightline.encoder.registry import ModelRegistry
from sightline.errors import BadPicture, CollectionNotFound
from sightline.index import Point, StoredPoint, VectorIndex
from sightline.queue.jobs import Batch, BatchOutcome, Failure, Job
from sightline.queue.lost_points import Lost
from sightline.queue.migration_records import Migration, MigrationState
from sightline.queue.migrations import Migrations
from sightline.queue.sources import Item, MigrationSource
from sightline_embedder.embedding import EmbeddingModel
from sightline_embedder.migrating.carrying import carried, settle
from sightline_embedder.migrating.originals import OriginalFinder
from sightline_embedder.stages import Stage, Telemetry

_AT_ONCE = 8
"""Pictures whose bytes are held together."""


@dataclass(frozen=True)
class _Made:
    """The pixels of a point's picture for the new model: uint8, shape (views, size, size, 3)."""

    point: StoredPoint
    views: NDArray[np.uint8]
    from_thumbnail: bool


class MigrationBatches:
    """Runs batches of migrations. Safe to call from several threads; doing one twice equals doing it once."""

    def __init__(
        self,
        *,
        finder: OriginalFinder,
        decoder: PictureDecoder,
        models: ModelRegistry[EmbeddingModel],
        index: VectorIndex,
        migrations: Migrations,
        telemetry: Telemetry,
    ) -> None:
        self._finder = finder
        self._decoder = decoder
        self._models = models
        self._index = index
        self._migrations = migrations
        self._telemetry = telemetry
        self._threads = ThreadPoolExecutor(_AT_ONCE, "original-reader")

    def run(self, job: Job, source: MigrationSource, batch: Batch) -> BatchOutcome:
        """Make the points of a batch; raises Unavailable, ModelError and PointsGone: then it is run again.

        What nobody needs any more, because the migration was aborted, is canceled.
        """
        return self._unless_over(source, batch, lambda one: self._run(job.request.collection, one, batch))

    def give_up(self, source: MigrationSource, batch: Batch, failed: BatchOutcome) -> BatchOutcome:
        """Take the points of a batch that nobody can make for lost, or keep their vectors of the same model.

        `failed` says why; without a note of it they would be planned again and again. Raises as `run` does.
        """
        return self._unless_over(source, batch, lambda one: self._give_up(one, batch, failed))

    def _give_up(self, migration: Migration, batch: Batch, failed: BatchOutcome) -> BatchOutcome:
        ids = [item.point_id for item in batch.items if item.point_id is not None]
        if migration.same_space:
            live = self._index.retrieve(migration.old, ids, with_vectors=True)
            self._index.insert(migration.new, [_copied(point) for point in live.values()])
            settle(self._index, migration.old, migration.new, ids)
            return BatchOutcome(indexed=len(live), unchanged=len(ids) - len(live))
        lost = {one.item.point_id: Lost(reason=one.reason, detail=one.detail) for one in failed.failures}
        self._migrations.lost.note(migration.id, {key: one for key, one in lost.items() if key is not None})
        return failed

    def _unless_over(
        self, source: MigrationSource, batch: Batch, work: Callable[[Migration], BatchOutcome]
    ) -> BatchOutcome:
        migration = self._migrations.get(source.migration)
        if migration.state not in (MigrationState.BUILDING, MigrationState.PAUSED, MigrationState.FAILED):
            return _canceled(batch)
        try:
            return work(migration)
        except CollectionNotFound:
            if self._migrations.get(migration.id).state in (MigrationState.ABORTING, MigrationState.ABORTED):
                return _canceled(batch)
            raise

    def _run(self, collection: str, migration: Migration, batch: Batch) -> BatchOutcome:
        items = {item.point_id: item for item in batch.items if item.point_id is not None}
        ids = list(items)
        live = self._index.retrieve(migration.old, ids, with_vectors=True)
        held = self._index.retrieve(migration.new, ids)
        model = self._models.get(migration.space, migration.precision)
        missing = [point for point_id, point in live.items() if point_id not in held]
        same = [point for point in missing if _fits(point, migration, model)]
        self._index.insert(migration.new, [_copied(point) for point in same])
        lost: dict[str, Lost] = {}
        other = [point for point in missing if not _fits(point, migration, model)]
        for start in range(0, len(other), _AT_ONCE):
            made = list(self._made(collection, other[start : start + _AT_ONCE], model, lost))
            self._insert(migration, model, made)
        if migration.same_space:
            # The vectors that there are can be compared with the new ones, and are better than none.
            self._index.insert(migration.new, [_copied(point) for point in other if point.id in lost])
            lost = {}
        settle(self._index, migration.old, migration.new, ids)
        self._migrations.lost.note(migration.id, lost)
        done = len(live) - len(lost)
        failures = tuple(_failure(items[point_id], one) for point_id, one in lost.items())
        return BatchOutcome(indexed=done, unchanged=len(ids) - len(live), failures=failures)

    def _made(
        self, collection: str, points: Sequence[StoredPoint], model: EmbeddingModel, lost: dict[str, Lost]
    ) -> Iterator[_Made]:
        reading = [
            self._threads.submit(copy_context().run, self._views, collection, point, model)
            for point in points
        ]
        for point, future in zip(points, reading, strict=True):
            try:
                yield future.result()
            except BadPicture as error:
                lost[point.id] = Lost(reason=error.reason, detail=error.detail)

    def _views(self, collection: str, point: StoredPoint, model: EmbeddingModel) -> _Made:
        """The pixels of a picture; raises BadPicture where neither the original nor a thumbnail will do.

        A thumbnail will not do for a point that has a vector of this model already.
        """
        with self._telemetry.timed(Stage.FETCH):
            found = self._finder.original(collection, point)
        fault = found.fault
        if found.data is not None:
            try:
                return _Made(point, self._decoded(found.data, model), from_thumbnail=False)
            except BadPicture as error:
                fault = error
        has_vector = point.payload.space == model.encoder.manifest.space
        thumbnail = None if has_vector else self._finder.thumbnail(collection, point)
        if thumbnail is None:
            assert fault is not None
            raise fault
        return _Made(point, self._decoded(thumbnail, model), from_thumbnail=True)

    def _decoded(self, data: bytes, model: EmbeddingModel) -> NDArray[np.uint8]:
        return self._decoder.submit(data, Wanted(models=(model.preprocessing,))).result().views

    def _insert(self, migration: Migration, model: EmbeddingModel, made: Sequence[_Made]) -> None:
        if not made:
            return
        with self._telemetry.stage(Stage.ENCODE, len(made)):
            vectors = model.encode(np.stack([one.views for one in made]))
        self._telemetry.observer.pictures_encoded(len(made))
        points = [
            carried(one.point, vector, model, tags, from_thumbnail=one.from_thumbnail)
            for one, vector, tags in zip(made, vectors, model.tags(vectors), strict=True)
        ]
        with self._telemetry.stage(Stage.UPSERT, len(made)):
            self._index.insert(migration.new, points)


def _fits(point: StoredPoint, migration: Migration, model: EmbeddingModel) -> bool:
    """Whether the vector that a point has will do: nothing but the quantization changes, or it is the same.

    Machines and runtimes differ in `numerics`, and imported points name other programs; all of them made
    vectors of the one space, in whatever precision they were asked to.
    """
    if migration.same_space and migration.precision == migration.old_precision:
        return True
    held, encoder = point.payload, model.encoder
    return (held.space, held.numerics, held.encoded_from) == (encoder.manifest.space, encoder.numerics, None)


def _copied(point: StoredPoint) -> Point:
    assert point.vector is not None
    return Point(point.id, point.vector, point.payload)


def _canceled(batch: Batch) -> BatchOutcome:
    return BatchOutcome(indexed=0, unchanged=0, canceled=len(batch.items))


def _failure(item: Item, lost: Lost) -> Failure:
    return Failure(item=item, reason=lost.reason, detail=lost.detail, attempts=1, at=datetime.now(UTC))
