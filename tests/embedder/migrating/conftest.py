"""A collection that is being migrated, over a real index and a real queue."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from celery import Celery
from migrating_by_hand import COLLECTION, Building, Colours, TwoModels
from redis import Redis
from running_index import running_index

from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.encoder.artifact import open_artifact
from sightline.index import CollectionSpec, VectorIndex
from sightline.media import FolderMediaStore
from sightline.payload import INDEXED_FIELDS
from sightline.queue.ledger import Ledger
from sightline.settings import Settings
from sightline_embedder.embedding import EmbeddingModel


@pytest.fixture(scope="module")
def index() -> Iterator[VectorIndex]:
    with running_index() as client:
        yield client


@pytest.fixture(scope="module")
def models(tiny_clip_artifact: Path) -> TwoModels:
    manifest = open_artifact(tiny_clip_artifact).manifest
    other = manifest.preprocessing.model_copy(update={"size": 32})
    changed = {"space": "second@0123456789abcdef", "name": "second", "dimension": 8, "preprocessing": other}
    made = (manifest, manifest.model_copy(update=changed))
    return TwoModels(tuple(EmbeddingModel(cast(Encoder, Colours(one)), None) for one in made))


@pytest.fixture(scope="module")
def decoder(models: TwoModels) -> Iterator[PictureDecoder]:
    with PictureDecoder.of(Settings(), models.models[0].preprocessing, processes=1) as decoder:
        yield decoder


@pytest.fixture
def building(
    redis: Redis,
    broker: Celery,
    ledger: Ledger,
    index: VectorIndex,
    models: TwoModels,
    decoder: PictureDecoder,
    tmp_path: Path,
) -> Iterator[Building]:
    (tmp_path / "photos").mkdir()
    first = models.models[0].encoder.manifest
    index.ensure_collection(CollectionSpec(COLLECTION, first.space, first.dimension, INDEXED_FIELDS))
    media = FolderMediaStore(tmp_path / "media")
    made = Building(redis, broker, ledger, index, models, decoder, tmp_path / "photos", media)
    yield made
    for migration in made.migrations.active():
        index.drop_collection(migration.new)
    index.drop_collection(COLLECTION)
