"""Every object of an embedder is built here, and handed on."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from celery import Celery
from redis import Redis

from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.encoder.artifact import open_artifact
from sightline.encoder.registry import open_encoder
from sightline.encoder.tagging import Tagger
from sightline.errors import SettingsError
from sightline.index import CollectionSpec, VectorIndex
from sightline.index.connect import INGESTING, open_index
from sightline.media import FolderMediaStore
from sightline.payload import indexed_fields
from sightline.queue.broker import create_broker
from sightline.queue.connection import connect_redis
from sightline.queue.deletions import Deletions
from sightline.queue.duplicates import Duplicates
from sightline.queue.ledger import Ledger
from sightline.settings import Settings
from sightline_embedder.batches import BatchRunner
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.indexing import BatchIndexer
from sightline_embedder.planning import Planner
from sightline_embedder.reading import PictureReader
from sightline_embedder.reconciling import Reconciler
from sightline_embedder.recording import FileRecorder
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.syncing import FolderSync

_UNFINISHED_S = 3600.0
"""Files of uploads and thumbnails that are still unfinished after this were left by a crash."""


@dataclass(frozen=True)
class Embedder:
    """The parts of an embedder."""

    settings: Settings
    redis: Redis
    broker: Celery
    ledger: Ledger
    encoder: Encoder
    tagger: Tagger | None
    decoder: PictureDecoder
    index: VectorIndex
    media: FolderMediaStore
    remotes: Remotes

    def planner(self) -> Planner:
        """What lists sources and plans batches."""
        batch_pictures = self.settings.batch_pictures
        return Planner(
            self.ledger,
            self.broker,
            opener=SourceOpener.of(self.settings, self.ledger, self.media, self.remotes),
            sync=FolderSync(self.redis, self.index, self.media, batch_pictures=batch_pictures),
            scan=DuplicateScan(self.index, Duplicates(self.redis, self._retention)),
            batch_pictures=batch_pictures,
            batches_in_flight=self.settings.batches_in_flight,
        )

    def runner(self) -> BatchRunner:
        """What runs batches."""
        indexer = BatchIndexer(
            reader=PictureReader.of(self.settings, self.media, self.remotes),
            decoder=self.decoder,
            encoder=self.encoder,
            tagger=self.tagger,
            index=self.index,
            media=self.media,
            deletions=Deletions(self.redis, self._retention),
            recorder=FileRecorder(self.redis),
        )
        manifest = self.encoder.manifest
        spec = CollectionSpec(
            name=self.settings.collection,
            space=manifest.space,
            dimension=manifest.dimension,
            fields=indexed_fields(self.settings.metadata_fields),
        )
        return BatchRunner(
            self.ledger, self.broker, indexer, self.index, spec, self.media, self.settings.min_free_bytes
        )

    def reconciler(self) -> Reconciler:
        """What sends lost messages again."""
        return Reconciler(
            self.redis,
            self.broker,
            self.ledger,
            batches_in_flight=self.settings.batches_in_flight,
            every_s=self.settings.visibility_timeout_s,
        )

    @property
    def _retention(self) -> timedelta:
        return timedelta(days=self.settings.job_retention_days)

    def close(self) -> None:
        """End the decode processes and the connections."""
        self.decoder.close()
        self.index.close()
        self.remotes.close()


def build_embedder(settings: Settings) -> Embedder:
    """Build everything; raises SettingsError or ModelError with a sentence when it cannot be."""
    if settings.redis_url is None:
        raise SettingsError("SIGHTLINE_REDIS_URL is not set: an embedder takes its jobs from Redis.")
    if settings.model is None:
        raise SettingsError("SIGHTLINE_MODEL is not set: it names the folder of a model artifact.")
    remotes = Remotes.of(settings)
    artifact = open_artifact(Path(settings.model))
    preprocessing = artifact.manifest.preprocessing
    decoder = PictureDecoder.of(settings, preprocessing, processes=settings.decode_processes)
    encoder = open_encoder(artifact.path, settings)
    decoder.warm()
    media = FolderMediaStore(settings.media_dir)
    media.discard_unfinished(older_than_s=_UNFINISHED_S)
    redis = connect_redis(settings.redis_url)
    return Embedder(
        settings=settings,
        redis=redis,
        broker=create_broker(settings.redis_url, settings.visibility_timeout_s),
        ledger=Ledger(redis, timedelta(days=settings.job_retention_days)),
        encoder=encoder,
        tagger=Tagger.of(settings.auto_tags, encoder, artifact) if settings.auto_tags else None,
        decoder=decoder,
        index=open_index(settings, INGESTING),
        media=media,
        remotes=remotes,
    )
