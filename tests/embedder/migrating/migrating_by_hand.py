"""An embedder that migrates a collection, driven by hand, with two models of colours."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
from celery import Celery
from PIL import Image
from redis import Redis

from sightline.decoder import PictureDecoder
from sightline.encoder.artifact import Manifest
from sightline.encoder.registry import ModelRegistry
from sightline.index import CollectionSpec, VectorIndex
from sightline.index.versions import version_of
from sightline.media import FolderMediaStore
from sightline.payload import INDEXED_FIELDS, Payload
from sightline.queue.deletions import Deletions
from sightline.queue.duplicates import Duplicates
from sightline.queue.jobs import Batch, JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.migration_records import Migration, MigrationState, new_id
from sightline.queue.migrations import Migrations
from sightline.queue.planning import PlanningLeases
from sightline.queue.sources import FolderSource, Item, MigrationSource, SourceKind
from sightline.served import VersionsWritten
from sightline.settings import Precision, Settings
from sightline.tracing import NO_TRACES
from sightline.writing import PointWriter
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.embedding import Destinations, EmbeddingModel
from sightline_embedder.indexing import BatchIndexer
from sightline_embedder.metrics import EmbedderMetrics
from sightline_embedder.migrating.batches import MigrationBatches
from sightline_embedder.migrating.originals import OriginalFinder
from sightline_embedder.migrating.plan import MigrationPlan
from sightline_embedder.planning import Planner
from sightline_embedder.reading import PictureReader
from sightline_embedder.recording import FileRecorder
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.stages import Telemetry
from sightline_embedder.syncing import FolderSync

COLLECTION = "images"
LEASE_S = 30.0


@dataclass(frozen=True)
class Colours:
    """A model: the colours of a picture, projected to as many dimensions as its manifest says."""

    manifest: Manifest
    numerics: str = "colours"

    def encode_views(self, views: Any) -> Any:
        means = views.reshape(len(views), -1, 3).astype(np.float32).mean(axis=1) + 1
        spread = np.random.default_rng(self.manifest.dimension).normal(size=(3, self.manifest.dimension))
        vectors = (means @ spread).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@dataclass(frozen=True)
class TwoModels:
    """A registry of two models, by space; in every precision they are the same."""

    models: tuple[EmbeddingModel, ...]

    def get(self, space: str, precision: object = None) -> EmbeddingModel:
        return next(one for one in self.models if one.encoder.manifest.space == space)


@dataclass
class Building:
    """An embedder, driven by hand, and people who use its collection."""

    redis: Redis
    broker: Celery
    ledger: Ledger
    index: VectorIndex
    models: TwoModels
    decoder: PictureDecoder
    photos: Path
    media: FolderMediaStore

    def __post_init__(self) -> None:
        self.settings = Settings(data_dir=self.photos.parent / "data", import_roots=[self.photos])
        self.migrations = Migrations(self.redis)
        self.writer = PointWriter(self.index, VersionsWritten(self.migrations))
        self.telemetry = Telemetry(EmbedderMetrics(), NO_TRACES)
        self.registry = cast("ModelRegistry[EmbeddingModel]", self.models)
        self.remotes = Remotes.of(self.settings)
        self.reader = PictureReader.of(self.settings, self.media, self.remotes)
        self.indexer = self.batch_indexer()
        self.batches = self._batches()
        self.numbers = iter(range(10_000))

    def batch_indexer(self, index: Any = None) -> BatchIndexer:
        index = index or self.index
        return BatchIndexer(
            reader=self.reader,
            decoder=self.decoder,
            destinations=Destinations(self.index, self.registry, self.migrations),
            writer=PointWriter(index, VersionsWritten(self.migrations)),
            index=index,
            media=self.media,
            deletions=Deletions(self.redis, timedelta(days=1)),
            recorder=FileRecorder(self.redis),
            telemetry=self.telemetry,
        )

    def _batches(self) -> MigrationBatches:
        return MigrationBatches(
            finder=OriginalFinder(self.reader, self.media),
            decoder=self.decoder,
            models=self.registry,
            index=self.index,
            migrations=self.migrations,
            telemetry=self.telemetry,
        )

    def planner(self) -> Planner:
        return Planner(
            self.ledger,
            self.broker,
            PlanningLeases(self.redis, LEASE_S),
            opener=SourceOpener.of(self.settings, self.ledger, self.media, self.remotes),
            sync=FolderSync(self.redis, self.index, self.writer, self.media, batch_pictures=4),
            scan=DuplicateScan(self.index, Duplicates(self.redis, timedelta(days=1))),
            migrations=MigrationPlan(self.index, self.migrations, batch_pictures=4),
            portable=lambda *_: None,
            batch_pictures=4,
            batches_in_flight=2,
        )

    def add(self, indexer: BatchIndexer | None = None, *, repeat: bool = False) -> None:
        """Somebody brings a picture in."""
        number = next(self.numbers)
        path = self.photos / f"{number:04}.png"
        colours = np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)
        Image.fromarray(colours).save(path)
        source = FolderSource(path=str(self.photos))
        job = self.ledger.create(JobRequest(collection=COLLECTION, source=source, tags=(f"tag-{number}",)))
        batch = Batch(id="0", items=(Item(number=0, kind=SourceKind.FOLDER, uri=path.as_uri()),))
        for _ in range(2 if repeat else 1):
            assert not (indexer or self.indexer).run(job, batch).failures

    def points(self, version: str) -> dict[str, Payload]:
        page = self.index.browse(version, sort="indexed_at", limit=1000, cursor=None, filter=None)
        return {point.id: point.payload for point in page.points}

    def start(self, old: str, precision: Precision | None = None) -> tuple[Migration, str]:
        first, second = (one.encoder.manifest for one in self.models.models)
        migration_id = new_id()
        migration = self.migrations.start(
            Migration(
                id=migration_id,
                collection=COLLECTION,
                old=old,
                new=version_of(COLLECTION, migration_id),
                model="second",
                old_space=first.space,
                space=second.space,
                dimension=second.dimension,
                precision=precision,
                quantization=None,
                old_precision=None,
                state=MigrationState.BUILDING,
                created_at=datetime.now(UTC),
            )
        )
        self.index.ensure_collection(
            CollectionSpec(migration.new, second.space, second.dimension, INDEXED_FIELDS)
        )
        request = JobRequest(collection=COLLECTION, source=MigrationSource(migration=migration_id))
        job = self.ledger.create(request)
        return self.migrations.set_job(migration_id, job.id), job.id


def finish(
    building: Building, migration: Migration, job_id: str, chance: random.Random | None = None
) -> None:
    """Have the job done; with `chance` planners and batches die on the way, and people do things."""
    planner = building.planner()
    for _ in range(500):
        planner.plan(job_id)
        if building.ledger.job(job_id).state.final:
            return
        run_batches(building, migration, job_id, chance)
        if chance is not None:
            planner = building.planner() if chance.random() < 0.5 else planner
            if building.migrations.get(migration.id).state is MigrationState.BUILDING:
                _meddle(building, migration, chance)
    raise AssertionError("the migration does not end")


def run_batches(
    building: Building, migration: Migration, job_id: str, chance: random.Random | None = None
) -> None:
    """Run the batches that are planned; with `chance` their embedders die before some outcomes are set."""
    for batch_id in building.ledger.pending_batches(job_id):
        claim = building.ledger.claim(job_id, batch_id)
        assert claim is not None
        source = MigrationSource(migration=migration.id)
        outcome = building.batches.run(building.ledger.job(job_id), source, claim.batch)
        if chance is None or chance.random() < 0.7:
            building.ledger.set_outcome(job_id, batch_id, outcome)


def _meddle(building: Building, migration: Migration, chance: random.Random) -> None:
    """What people do, or a writer who has not heard of the migration and changes the live version alone."""
    ids = sorted(building.points(migration.old))
    if len(ids) > 60 or chance.random() < 0.3:
        return  # It has to end some time.
    one = chance.choice(ids)
    match chance.randrange(6):
        case 0:
            building.add(repeat=chance.random() < 0.5)
        case 1:
            building.writer.set_payload(COLLECTION, one, {"tags": [f"{chance.random()}"]})
        case 2:
            building.writer.delete(COLLECTION, [one])
        case 3:
            building.index.set_payload(migration.old, one, {"metadata": {"a": chance.random()}})
        case 4:
            building.index.delete(migration.old, [one])
        case _:
            building.index.delete(migration.new, [one])
