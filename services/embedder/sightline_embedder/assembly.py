"""Every object of an embedder is built here, and handed on."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from celery import Celery
from redis import Redis

from sightline.decoder import PictureDecoder
from sightline.encoder.registry import ModelRegistry
from sightline.errors import SettingsError
from sightline.index import CollectionSpec, VectorIndex
from sightline.index.connect import INGESTING, open_index
from sightline.media import MediaStore
from sightline.media_choice import open_media
from sightline.payload import indexed_fields
from sightline.portable.places import PortablePlaces
from sightline.queue.broker import create_broker
from sightline.queue.connection import connect_redis
from sightline.queue.deletions import Deletions
from sightline.queue.duplicates import Duplicates
from sightline.queue.ledger import Ledger
from sightline.queue.migrations import Migrations
from sightline.queue.planning import PlanningLeases
from sightline.served import ServedCollections, VersionsWritten
from sightline.settings import Settings
from sightline.writing import PointWriter
from sightline_embedder.batches import BatchRunner
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.embedding import Destinations, EmbeddingModel, embedding_model
from sightline_embedder.indexing import BatchIndexer
from sightline_embedder.migrating.batches import MigrationBatches
from sightline_embedder.migrating.originals import OriginalFinder
from sightline_embedder.migrating.plan import MigrationPlan
from sightline_embedder.planning import Planner
from sightline_embedder.portable.exporting import CollectionExport
from sightline_embedder.portable.importing import PointsImport
from sightline_embedder.portable.intents import ImportIntents
from sightline_embedder.portable.jobs import PortableJobs
from sightline_embedder.portable.opening import CollectionEncoders, PointsOpener
from sightline_embedder.progress import Progress
from sightline_embedder.reading import PictureReader
from sightline_embedder.reconciling import Reconciler
from sightline_embedder.recording import FileRecorder
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.stages import Stage, Telemetry
from sightline_embedder.syncing import FolderSync

_UNFINISHED_S = 24 * 3600.0
"""Files of uploads and thumbnails that are still unfinished after this were left by a crash."""


@dataclass(frozen=True)
class Embedder:
    """The parts of an embedder."""

    settings: Settings
    redis: Redis
    broker: Celery
    ledger: Ledger
    models: ModelRegistry[EmbeddingModel]
    migrations: Migrations
    decoder: PictureDecoder
    index: VectorIndex
    media: MediaStore
    remotes: Remotes
    telemetry: Telemetry
    progress: Progress

    def planner(self) -> Planner:
        """What lists sources and plans batches."""
        batch_pictures = self.settings.batch_pictures
        return Planner(
            self.ledger,
            self.broker,
            self.planning_leases,
            opener=SourceOpener.of(self.settings, self.ledger, self.media, self.remotes, self.progress.note),
            sync=FolderSync(self.redis, self.index, self._writer, self.media, batch_pictures=batch_pictures),
            scan=DuplicateScan(self.index, Duplicates(self.redis, self._retention)),
            migrations=MigrationPlan(self.index, self.migrations, batch_pictures=batch_pictures),
            portable=PortableJobs(self._export(), self._points_import()).steps,
            batch_pictures=batch_pictures,
            batches_in_flight=self.settings.batches_in_flight,
        )

    @property
    def planning_leases(self) -> PlanningLeases:
        """What keeps two planners off one job."""
        # It has run out when the message of a planner that died is delivered again.
        return PlanningLeases(self.redis, lease_s=self.settings.visibility_timeout_s / 2)

    def _export(self) -> CollectionExport:
        return CollectionExport(
            self.index,
            self.media,
            self.ledger,
            self._places,
            roots=self.settings.export_roots,
            min_free_bytes=self.settings.min_free_bytes,
        )

    def _points_import(self) -> PointsImport:
        opener = PointsOpener(
            index=self.index,
            encoder_of=CollectionEncoders(self.index, self.models),
            decoder=self.decoder,
            reader=PictureReader.of(self.settings, self.media, self.remotes),
            places=self._places,
            import_roots=self.settings.import_roots,
            metadata_fields=self.settings.metadata_fields,
        )
        return PointsImport(
            self.index,
            self.media,
            self.ledger,
            Deletions(self.redis, self._retention),
            ImportIntents(self.redis, self._retention),
            self.migrations,
            self._writer,
            self._places,
            opener.open,
            self.settings.min_free_bytes,
        )

    @property
    def _places(self) -> PortablePlaces:
        return PortablePlaces(self.settings.data_dir)

    def runner(self) -> BatchRunner:
        """What runs batches."""
        reader = PictureReader.of(self.settings, self.media, self.remotes)
        indexer = BatchIndexer(
            reader=reader,
            decoder=self.decoder,
            destinations=Destinations(self.index, self.models, self.migrations),
            writer=self._writer,
            index=self.index,
            media=self.media,
            deletions=Deletions(self.redis, self._retention),
            recorder=FileRecorder(self.redis),
            telemetry=self.telemetry,
        )
        migrations = MigrationBatches(
            finder=OriginalFinder(reader, self.media),
            decoder=self.decoder,
            models=self.models,
            index=self.index,
            migrations=self.migrations,
            telemetry=self.telemetry,
        )
        manifest = self.models.default.artifact.manifest
        spec = CollectionSpec(
            name=self.settings.collection,
            space=manifest.space,
            dimension=manifest.dimension,
            fields=indexed_fields(self.settings.metadata_fields),
        )
        return BatchRunner(
            self.ledger,
            self.broker,
            indexer,
            migrations,
            ServedCollections(self.index, self.models),
            spec,
            self.media,
            self.settings.min_free_bytes,
            self.telemetry,
        )

    def reconciler(self) -> Reconciler:
        """What sends lost messages again."""
        return Reconciler(
            self.redis,
            self.broker,
            self.ledger,
            self.index,
            self._places,
            batches_in_flight=self.settings.batches_in_flight,
            every_s=self.settings.visibility_timeout_s,
        )

    @property
    def _writer(self) -> PointWriter:
        return PointWriter(self.index, VersionsWritten(self.migrations))

    @property
    def _retention(self) -> timedelta:
        return timedelta(days=self.settings.job_retention_days)

    def close(self) -> None:
        """End the decode processes and the connections."""
        self.decoder.close()
        self.index.close()
        self.remotes.close()


def build_embedder(settings: Settings, telemetry: Telemetry) -> Embedder:
    """Build everything; raises SettingsError or ModelError with a sentence when it cannot be."""
    if settings.redis_url is None:
        raise SettingsError("SIGHTLINE_REDIS_URL is not set: an embedder takes its jobs from Redis.")
    if settings.model is None:
        raise SettingsError("SIGHTLINE_MODEL is not set: it names the folder of a model artifact.")
    remotes = Remotes.of(settings)
    progress = Progress()
    models = ModelRegistry(settings, embedding_model(settings, progress))
    decoder = PictureDecoder.of(
        settings,
        models.default.artifact.manifest.preprocessing,
        processes=settings.decode_processes,
        on_decoded=partial(telemetry.observer.stage_took, Stage.DECODE),
    )
    decoder.warm()
    media = open_media(settings)
    media.discard_unfinished(older_than_s=_UNFINISHED_S)
    redis = connect_redis(settings.redis_url)
    return Embedder(
        settings=settings,
        redis=redis,
        broker=create_broker(settings.redis_url, settings.visibility_timeout_s),
        ledger=Ledger(redis, timedelta(days=settings.job_retention_days)),
        models=models,
        migrations=Migrations(redis),
        decoder=decoder,
        index=open_index(settings, INGESTING),
        media=media,
        remotes=remotes,
        telemetry=telemetry,
        progress=progress,
    )
