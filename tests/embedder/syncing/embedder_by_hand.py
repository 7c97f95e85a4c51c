"""What a worker consists of, driven by hand: a test decides what runs when, and what runs twice."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast

from celery import Celery
from redis import Redis

from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.encoder.registry import ModelRegistry
from sightline.file_uri import is_file_uri, path_of
from sightline.index import StoredPoint, VectorIndex
from sightline.media import FolderMediaStore
from sightline.queue.deletions import Deletions
from sightline.queue.duplicates import Duplicates
from sightline.queue.jobs import Job, JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.migrations import Migrations
from sightline.queue.planning import PlanningLeases
from sightline.queue.sources import FolderSource, Item
from sightline.served import VersionsWritten
from sightline.settings import Settings
from sightline.tracing import NO_TRACES
from sightline.writing import PointWriter
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.embedding import Destinations, EmbeddingModel
from sightline_embedder.errors import PointsGone
from sightline_embedder.indexing import BatchIndexer
from sightline_embedder.metrics import EmbedderMetrics
from sightline_embedder.migrating.plan import MigrationPlan
from sightline_embedder.planning import Planner
from sightline_embedder.reading import PictureReader, RawPicture
from sightline_embedder.recording import FileRecorder
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.stages import Telemetry
from sightline_embedder.syncing import FolderSync

BATCH_PICTURES = 3
LEASE_S = 30.0
COLLECTION = "images"


class CountingReader(PictureReader):
    """Notes the names of the files it opens; something may happen just before."""

    opened: list[str]
    happenings: dict[str, Callable[[], None]]

    def read(self, collection: str, item: Item) -> RawPicture:
        name = path_of(item.uri).name if is_file_uri(item.uri) else item.uri
        self.opened.append(name)
        if name in self.happenings:
            self.happenings[name]()
        return super().read(collection, item)


@dataclass
class OneModel:
    """A registry of one model."""

    encoder: Encoder

    def get(self, space: str, precision: object = None) -> EmbeddingModel:
        assert (space, precision) == (self.encoder.manifest.space, None)
        return EmbeddingModel(self.encoder, None)


@dataclass
class Embedder:
    """What a worker consists of, driven by hand."""

    redis: Redis
    broker: Celery
    ledger: Ledger
    index: VectorIndex
    encoder: Encoder
    decoder: PictureDecoder
    root: Path
    media: FolderMediaStore
    opened: list[str] = field(default_factory=list)
    happenings: dict[str, Callable[[], None]] = field(default_factory=dict)

    @contextmanager
    def before_reading(self, name: str, happening: Callable[[], None]) -> Iterator[None]:
        self.happenings[name] = happening
        yield
        del self.happenings[name]

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.root.parent / "data", import_roots=[self.root])

    def planner(self, **options: float) -> Planner:
        return Planner(
            self.ledger,
            self.broker,
            PlanningLeases(self.redis, LEASE_S),
            opener=SourceOpener.of(self.settings, self.ledger, self.media, Remotes.of(self.settings)),
            sync=FolderSync(self.redis, self.index, self.writer(), self.media, batch_pictures=BATCH_PICTURES),
            scan=DuplicateScan(self.index, Duplicates(self.redis, timedelta(days=1))),
            migrations=MigrationPlan(self.index, Migrations(self.redis), batch_pictures=BATCH_PICTURES),
            portable=lambda *_: None,
            batch_pictures=BATCH_PICTURES,
            batches_in_flight=2,
            **options,
        )

    def writer(self, index: VectorIndex | None = None) -> PointWriter:
        return PointWriter(index or self.index, VersionsWritten(Migrations(self.redis)))

    def indexer(self, index: VectorIndex | None = None) -> BatchIndexer:
        reader = CountingReader.of(self.settings, self.media, Remotes.of(self.settings))
        reader.opened, reader.happenings = self.opened, self.happenings
        return BatchIndexer(
            reader=reader,
            decoder=self.decoder,
            destinations=Destinations(
                self.index,
                cast("ModelRegistry[EmbeddingModel]", OneModel(self.encoder)),
                Migrations(self.redis),
            ),
            writer=self.writer(index),
            index=index or self.index,
            media=self.media,
            deletions=Deletions(self.redis, timedelta(days=1)),
            recorder=FileRecorder(self.redis),
            telemetry=Telemetry(EmbedderMetrics(), NO_TRACES),
        )

    def start(self, folder: Path, **source: bool) -> str:
        request = JobRequest(collection=COLLECTION, source=FolderSource(path=str(folder), **source))
        return self.ledger.create(request).id

    def run(self, folder: Path, *, sync: bool = True, chance: random.Random | None = None) -> Job:
        """Run a job to its end; with `chance` planners and batches die and are repeated."""
        self.opened.clear()
        job_id = self.start(folder, sync=sync)
        planner, indexer = self.planner(), self.indexer()
        for _ in range(1000):
            if (job := self.ledger.job(job_id)).state.final:
                return job
            planner.plan(job_id)
            if chance and chance.random() < 0.5:
                planner = self.planner(planning_s=chance.choice([0.0, 10.0]))
            for batch_id in self.ledger.pending_batches(job_id):
                self.finish(job, batch_id, indexer, repeat=bool(chance and chance.random() < 0.3))
                if chance and chance.random() < 0.3:
                    break
        raise AssertionError("the job does not end")

    def finish(self, job: Job, batch_id: str, indexer: BatchIndexer, *, repeat: bool = False) -> None:
        batch = self.ledger.batch(job.id, batch_id)
        if batch is None:
            return
        if repeat:
            indexer.run(job, batch)
        while True:
            try:
                self.ledger.set_outcome(job.id, batch_id, indexer.run(job, batch))
                return
            except PointsGone:
                continue

    def points(self) -> dict[str, StoredPoint]:
        page = self.index.browse(COLLECTION, sort="indexed_at", limit=200, cursor=None, filter=None)
        assert page.next_cursor is None
        return {point.id: point for point in page.points}

    def sources(self) -> dict[str, set[str]]:
        """Names of the files that each point has as sources."""
        return {
            one: {path_of(source.uri).name for source in point.payload.sources.values()}
            for one, point in self.points().items()
        }


def counts(job: Job) -> tuple[int, int, int, int]:
    return job.counts.total, job.counts.indexed, job.counts.unchanged, job.counts.failed
