"""What the routes work with: built once at start, closed at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from celery import Celery
from fastapi import Depends, Request

from sightline.buckets import Buckets
from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.encoder.artifact import open_artifact
from sightline.encoder.registry import open_encoder
from sightline.errors import SettingsError
from sightline.index import CollectionSpec, VectorIndex
from sightline.index.connect import open_index
from sightline.media import FolderMediaStore, MediaStore
from sightline.payload import indexed_fields
from sightline.queue.broker import create_broker
from sightline.queue.connection import connect_redis
from sightline.queue.deletions import Deletions
from sightline.queue.duplicates import Duplicates
from sightline.queue.ledger import Ledger
from sightline.settings import Settings
from sightline_api.http.overload import BoundedThreads
from sightline_api.jobs.events import JobEvents
from sightline_api.originals import Originals
from sightline_api.search.backgrounds import Backgrounds
from sightline_api.search.picture_vectors import PictureVectors
from sightline_api.search.query import QueryEncoder
from sightline_api.search.query_sample import QuerySample
from sightline_api.search.relevance import Relevance
from sightline_api.search.text_cache import TextVectorCache
from sightline_api.search.text_vectors import TextVectors

_DECODE_PROCESSES = 1
_SEARCH_THREADS = 32
_SEARCHES_WAITING = 128


@dataclass(frozen=True)
class Gateway:
    """The gateway's collaborators."""

    settings: Settings
    encoder: Encoder
    decoder: PictureDecoder
    index: VectorIndex
    ledger: Ledger
    deletions: Deletions
    duplicates: Duplicates
    broker: Celery
    media: MediaStore
    buckets: Buckets
    originals: Originals
    texts: TextVectors
    pictures: PictureVectors
    queries: QueryEncoder
    relevance: Relevance
    query_sample: QuerySample
    search_threads: BoundedThreads
    job_events: JobEvents

    def collection_spec(self, name: str) -> CollectionSpec:
        """What a collection is made with when it is first written to."""
        manifest = self.encoder.manifest
        fields = indexed_fields(self.settings.metadata_fields)
        return CollectionSpec(name, manifest.space, manifest.dimension, fields)


@contextmanager
def open_gateway(settings: Settings) -> Iterator[Gateway]:
    """Build everything; raises SettingsError or ModelError with a sentence when it cannot be."""
    if settings.redis_url is None:
        raise SettingsError("SIGHTLINE_REDIS_URL is not set: the gateway keeps its jobs in Redis.")
    if settings.model is None:
        raise SettingsError("SIGHTLINE_MODEL is not set: it names the folder of a model artifact.")
    artifact = open_artifact(Path(settings.model))
    decoder = PictureDecoder.of(settings, artifact.manifest.preprocessing, processes=_DECODE_PROCESSES)
    encoder = open_encoder(artifact.path, settings)
    index = open_index(settings)
    redis = connect_redis(settings.redis_url)
    retention = timedelta(days=settings.job_retention_days)
    ledger = Ledger(redis, retention)
    media, buckets = FolderMediaStore(settings.media_dir), Buckets.of(settings)
    originals = Originals(settings, media, buckets)
    texts = TextVectors(encoder, TextVectorCache(settings.text_cache_entries))
    pictures = PictureVectors(encoder, decoder, index, originals, media)
    try:
        yield Gateway(
            settings=settings,
            encoder=encoder,
            decoder=decoder,
            index=index,
            ledger=ledger,
            deletions=Deletions(redis, retention),
            duplicates=Duplicates(redis, retention),
            broker=create_broker(settings.redis_url, settings.visibility_timeout_s),
            media=media,
            buckets=buckets,
            originals=originals,
            texts=texts,
            pictures=pictures,
            queries=QueryEncoder(texts, pictures),
            relevance=Relevance(artifact.manifest.calibration, artifact.vocabulary(), Backgrounds(index)),
            query_sample=QuerySample() if settings.recall_sample_s else QuerySample(0),
            search_threads=BoundedThreads(_SEARCH_THREADS, _SEARCHES_WAITING),
            job_events=JobEvents(ledger),
        )
    finally:
        decoder.close()
        index.close()


async def _gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


GatewayDep = Annotated[Gateway, Depends(_gateway_of)]
