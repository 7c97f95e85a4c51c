"""The worker's start: every object of an embedder is built here, and handed on."""

import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event

import structlog
from celery import Celery
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.signals import setup_logging, worker_shutting_down
from redis import Redis

from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.encoder.artifact import open_artifact
from sightline.encoder.registry import open_encoder
from sightline.errors import SettingsError
from sightline.index import CollectionSpec, VectorIndex
from sightline.index.connect import INGESTING, open_index
from sightline.media import FolderMediaStore
from sightline.payload import indexed_fields
from sightline.queue.broker import create_broker
from sightline.queue.connection import connect_redis
from sightline.queue.deletions import Deletions
from sightline.queue.ledger import Ledger
from sightline.queue.messages import Queue
from sightline.settings import Settings
from sightline.waiting import await_services
from sightline_embedder.batches import BatchRunner
from sightline_embedder.health import Heartbeat, send_heartbeat
from sightline_embedder.indexing import BatchIndexer
from sightline_embedder.leases import keep_leases
from sightline_embedder.planning import Planner
from sightline_embedder.reading import PictureReader
from sightline_embedder.reconciling import Reconciler
from sightline_embedder.recovery import rebuild_queue
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.tasks import register_tasks

_log = structlog.get_logger(__name__)

_UNFINISHED_S = 3600.0
"""Files of uploads and thumbnails that are still unfinished after this were left by a crash."""
BATCHES_AT_ONCE = 2
"""One batch decodes while the other encodes."""


@dataclass(frozen=True)
class _Parts:
    encoder: Encoder
    decoder: PictureDecoder
    index: VectorIndex
    media: FolderMediaStore


def run_worker(settings: Settings) -> None:
    """Run an embedder until SIGTERM; raises SettingsError or ModelError when it cannot start."""
    if settings.redis_url is None:
        raise SettingsError("SIGHTLINE_REDIS_URL is not set: an embedder takes its jobs from Redis.")
    parts = _build_parts(settings)
    redis = connect_redis(settings.redis_url)
    broker = create_broker(settings.redis_url, settings.visibility_timeout_s)
    ledger = Ledger(redis, timedelta(days=settings.job_retention_days))
    planner = Planner(
        ledger,
        broker,
        opener=SourceOpener(ledger, parts.media, settings.import_roots),
        batch_pictures=settings.batch_pictures,
        batches_in_flight=settings.batches_in_flight,
    )
    stopping = Event()
    runner = _build_runner(settings, ledger, broker, redis, parts)
    register_tasks(broker, planner, runner, stopping)
    reconciler = Reconciler(
        redis,
        broker,
        ledger,
        batches_in_flight=settings.batches_in_flight,
        every_s=settings.visibility_timeout_s,
    )
    try:
        _await_services(settings, ledger, stopping)
        if settings.sole_embedder:
            rebuild_queue(redis, broker, ledger, settings.batches_in_flight)
        reconciler.start(stopping)
        keep_leases(broker, settings.visibility_timeout_s)
        if settings.heartbeat_file is not None:
            send_heartbeat(broker, Heartbeat(settings.heartbeat_file))
        _log.info("embedder_ready", model=parts.encoder.manifest.name, numerics=parts.encoder.numerics)
        _consume(broker, stopping)
    finally:
        stopping.set()
        parts.decoder.close()
        parts.index.close()


def _build_parts(settings: Settings) -> _Parts:
    if settings.model is None:
        raise SettingsError("SIGHTLINE_MODEL is not set: it names the folder of a model artifact.")
    artifact = open_artifact(Path(settings.model))
    preprocessing = artifact.manifest.preprocessing
    decoder = PictureDecoder.of(settings, preprocessing, processes=settings.decode_processes)
    encoder = open_encoder(artifact.path, settings)
    decoder.warm()
    media = FolderMediaStore(settings.media_dir)
    media.discard_unfinished(older_than_s=_UNFINISHED_S)
    return _Parts(encoder, decoder, open_index(settings, INGESTING), media)


def _await_services(settings: Settings, ledger: Ledger, stopping: Event) -> None:
    # A client of its own, which says soon that nothing answers.
    index = open_index(settings)
    try:
        await_services({"Redis": ledger.ping, "the index": index.ping}, stopping)
    finally:
        index.close()


def _build_runner(
    settings: Settings, ledger: Ledger, broker: Celery, redis: Redis, parts: _Parts
) -> BatchRunner:
    indexer = BatchIndexer(
        reader=PictureReader(parts.media, settings.import_roots, settings.max_picture_bytes),
        decoder=parts.decoder,
        encoder=parts.encoder,
        index=parts.index,
        media=parts.media,
        deletions=Deletions(redis, timedelta(days=settings.job_retention_days)),
    )
    manifest = parts.encoder.manifest
    spec = CollectionSpec(
        name=settings.collection,
        space=manifest.space,
        dimension=manifest.dimension,
        fields=indexed_fields(settings.metadata_fields),
    )
    return BatchRunner(ledger, broker, indexer, parts.index, spec)


def _consume(broker: Celery, stopping: Event) -> None:
    """Take messages until SIGTERM, then finish the batches at hand or leave them to be sent again."""
    # Celery warns of running as root because pickle would be dangerous then; we take JSON alone.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    # It would say at each loss of the connection that a later Celery cancels tasks then.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    # With a receiver Celery leaves our logs alone; it would set the root logger's level.
    setup_logging.connect(lambda **_: None, weak=False)
    worker = broker.Worker(
        pool="threads",
        concurrency=BATCHES_AT_ONCE,
        queues=[queue.value for queue in Queue],
        without_heartbeat=True,
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker_shutting_down.connect(lambda **_: stopping.set(), weak=False)
    worker.start()
    if not stopping.is_set():
        _log.error("consumer_ended", reason="The log above says why; this embedder must be started again.")
        raise SystemExit(1)
