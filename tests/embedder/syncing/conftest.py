"""An embedder driven by hand, over a real index, a real queue and a real model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from embedder_by_hand import COLLECTION, Embedder
from redis import Redis
from running_index import running_index

from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.encoder.registry import open_encoder
from sightline.index import CollectionSpec
from sightline.index.edge.client import EdgeClient
from sightline.media import FolderMediaStore
from sightline.payload import INDEXED_FIELDS
from sightline.queue.ledger import Ledger
from sightline.settings import Settings


@pytest.fixture(scope="module")
def client() -> Iterator[EdgeClient]:
    with running_index() as client:
        yield client


@pytest.fixture(scope="module")
def model(tiny_clip_artifact: Path) -> Iterator[tuple[Encoder, PictureDecoder]]:
    encoder = open_encoder(tiny_clip_artifact, Settings())
    with PictureDecoder.of(Settings(), encoder.manifest.preprocessing, processes=1) as decoder:
        yield encoder, decoder


@pytest.fixture
def embedder(
    redis: Redis,
    broker: Celery,
    ledger: Ledger,
    client: EdgeClient,
    model: tuple[Encoder, PictureDecoder],
    tmp_path: Path,
) -> Iterator[Embedder]:
    encoder, decoder = model
    manifest = encoder.manifest
    client.ensure_collection(CollectionSpec(COLLECTION, manifest.space, manifest.dimension, INDEXED_FIELDS))
    media = FolderMediaStore(tmp_path / "media")
    yield Embedder(redis, broker, ledger, client, encoder, decoder, tmp_path, media)
    client.drop_collection(COLLECTION)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder
