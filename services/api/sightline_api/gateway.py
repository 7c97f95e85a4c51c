"""What the routes work with: built once at start, closed at the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar

from celery import Celery
from fastapi import Depends, Request
from redis import Redis

from sightline.buckets import Buckets
from sightline.decoder import PictureDecoder
from sightline.encoder.artifact import open_artifact
from sightline.encoder.registry import ModelRegistry
from sightline.errors import CollectionNotFound, SettingsError, SpaceMismatch, Unavailable
from sightline.index import CollectionSpec, VectorIndex
from sightline.index.connect import open_index
from sightline.media import MediaStore
from sightline.media_choice import open_media
from sightline.payload import indexed_fields
from sightline.portable.places import PortablePlaces
from sightline.queue.broker import create_broker
from sightline.queue.connection import connect_impatiently, connect_redis
from sightline.queue.deletions import Deletions
from sightline.queue.drops import Drops
from sightline.queue.duplicates import Duplicates
from sightline.queue.embedders import Embedders
from sightline.queue.keys import KeyStore
from sightline.queue.ledger import Ledger
from sightline.queue.migrations import Migrations
from sightline.queue.watch import QueueWatch
from sightline.served import Served, ServedCollections, VersionsWritten
from sightline.settings import Settings
from sightline.tracing import Tracer
from sightline.writing import PointWriter
from sightline_api.http.callers import Callers
from sightline_api.http.key_ring import KeyRing
from sightline_api.http.metrics import Metrics
from sightline_api.http.overload import Bounds
from sightline_api.http.rate_limits import RateLimits
from sightline_api.http.state_metrics import Watched
from sightline_api.jobs.events import JobEvents
from sightline_api.originals import Originals
from sightline_api.search.query_model import QueryModel, query_model
from sightline_api.search.query_sample import QuerySample
from sightline_api.search.request_sample import RequestSample

_T = TypeVar("_T")
_DECODE_PROCESSES = 1
_UNFINISHED_S = 24 * 3600.0
"""Files of uploads that are still unfinished after this were left by a crash."""
_SCRAPE_PATIENCE_S = 1.0
"""Of a scrape with Redis, at each step: less than Prometheus has with us."""


@dataclass(frozen=True)
class Gateway:
    """The gateway's collaborators."""

    settings: Settings
    models: ModelRegistry[QueryModel]
    served: ServedCollections[QueryModel]
    decoder: PictureDecoder
    index: VectorIndex
    writer: PointWriter
    migrations: Migrations
    ledger: Ledger
    embedders: Embedders
    deletions: Deletions
    drops: Drops
    duplicates: Duplicates
    redis: Redis
    keys: KeyStore
    key_ring: KeyRing
    callers: Callers
    rate_limits: RateLimits
    broker: Celery
    media: MediaStore
    portable: PortablePlaces
    buckets: Buckets
    originals: Originals
    query_sample: QuerySample
    request_sample: RequestSample
    bounds: Bounds
    job_events: JobEvents
    metrics: Metrics
    tracer: Tracer

    def collection_spec(self, name: str) -> CollectionSpec:
        """What a collection is made with when it is first written to."""
        manifest = self.models.default.artifact.manifest
        fields = indexed_fields(self.settings.metadata_fields)
        return CollectionSpec(name, manifest.space, manifest.dimension, fields)

    def ensure_collection(self, name: str) -> Served[QueryModel]:
        """A collection as it is served, made now if it is not there; raises as `ServedCollections.of`."""
        return self.served.ensure(self.collection_spec(name))

    def model_in_use(self) -> QueryModel:
        """The model of the default collection; while nobody can tell, that of new collections."""
        try:
            return self.served.of(self.settings.collection).model
        except (CollectionNotFound, Unavailable):
            return self.models.of_new_collections

    def with_served(self, name: str, call: Callable[[Served[QueryModel]], _T]) -> _T:
        """What `call` makes of a collection, by one version and one model from its beginning to its end.

        It is called again where that version has just been dropped: another serves in its place.
        """
        served = self.served.of(name)
        try:
            return call(served)
        except (CollectionNotFound, SpaceMismatch):
            now = self.served.of(name, anew=True)
            if now.version == served.version:
                raise
            return call(now)


@contextmanager
def open_gateway(settings: Settings, metrics: Metrics, tracer: Tracer) -> Iterator[Gateway]:
    """Build everything; raises SettingsError or ModelError with a sentence when it cannot be."""
    if settings.redis_url is None:
        raise SettingsError("SIGHTLINE_REDIS_URL is not set: the gateway keeps its jobs in Redis.")
    if settings.model is None:
        raise SettingsError("SIGHTLINE_MODEL is not set: it names the folder of a model artifact.")
    artifact = open_artifact(Path(settings.model))
    decoder = PictureDecoder.of(settings, artifact.manifest.preprocessing, processes=_DECODE_PROCESSES)
    index = open_index(settings)
    redis = connect_redis(settings.redis_url)
    retention = timedelta(days=settings.job_retention_days)
    ledger = Ledger(redis, retention, settings.redis_wait_replicas)
    keys = KeyStore(redis)
    key_ring = KeyRing(keys)
    media, buckets = open_media(settings), Buckets.of(settings)
    media.discard_unfinished(older_than_s=_UNFINISHED_S)
    originals = Originals(settings, media, buckets)
    models = ModelRegistry(settings, query_model(settings, decoder, index, originals, media, metrics))
    migrations = Migrations(redis)
    watch = QueueWatch(connect_impatiently(settings.redis_url, _SCRAPE_PATIENCE_S))
    metrics.watch(Watched(watch, media, settings.min_free_bytes))
    try:
        yield Gateway(
            settings=settings,
            models=models,
            served=ServedCollections(index, models),
            decoder=decoder,
            index=index,
            writer=PointWriter(index, VersionsWritten(migrations)),
            migrations=migrations,
            ledger=ledger,
            embedders=Embedders(redis),
            deletions=Deletions(redis, retention),
            drops=Drops(redis),
            duplicates=Duplicates(redis, retention),
            redis=redis,
            keys=keys,
            key_ring=key_ring,
            callers=Callers(settings, key_ring),
            rate_limits=RateLimits(settings.redis_url),
            broker=create_broker(settings.redis_url, settings.visibility_timeout_s),
            media=media,
            portable=PortablePlaces(settings.data_dir),
            buckets=buckets,
            originals=originals,
            request_sample=RequestSample(),
            query_sample=QuerySample() if settings.recall_sample_s else QuerySample(0),
            bounds=Bounds.of(settings),
            job_events=JobEvents(),
            metrics=metrics,
            tracer=tracer,
        )
    finally:
        decoder.close()
        index.close()


async def _gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


GatewayDep = Annotated[Gateway, Depends(_gateway_of)]
