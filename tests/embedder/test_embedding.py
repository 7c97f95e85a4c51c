"""Whose fault it is that a model encodes nothing: the pictures' or its own."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from sightline.encoder import Encoder, Vectors, Views
from sightline.encoder.registry import Model, ModelRegistry, open_encoder
from sightline.settings import Precision, Settings
from sightline_embedder.embedding import EmbeddingModel, embedding_model
from sightline_embedder.errors import EncoderBroken
from sightline_embedder.progress import Progress

POISON = 77


class Failing:
    """A real encoder that fails at pictures of one colour, or at all."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.is_broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_views(self, views: Views) -> Vectors:
        if self.is_broken or (views == POISON).all(axis=(1, 2, 3, 4)).any():
            raise RuntimeError("Exception from src/inference: primitive descriptor was not found")
        return self._encoder.encode_views(views)


@pytest.fixture(scope="module")
def encoder(tiny_clip_artifact: Path) -> Encoder:
    return open_encoder(tiny_clip_artifact, Settings())


def pictures(encoder: Encoder, *colours: int) -> Views:
    preprocessing = encoder.manifest.preprocessing
    size = preprocessing.size
    shape = (len(preprocessing.views), size, size, 3)
    return np.stack([np.full(shape, colour, np.uint8) for colour in colours])


def test_a_model_that_fails_at_everything_is_its_own_fault_until_it_works_again(encoder: Encoder) -> None:
    failing, progress = Failing(encoder), Progress()
    model = EmbeddingModel(cast(Encoder, failing), None, progress)
    failing.is_broken = True

    with pytest.raises(EncoderBroken, match=r"encodes no picture .*primitive descriptor") as caught:
        model.encode(pictures(encoder, 1, 2))
    assert progress.fault == str(caught.value)

    failing.is_broken = False
    assert model.encode(pictures(encoder, 1, 2)).shape == (2, encoder.manifest.dimension)
    assert progress.fault is None


def test_a_picture_that_the_model_fails_at_is_to_blame(encoder: Encoder) -> None:
    progress = Progress()
    model = EmbeddingModel(cast(Encoder, Failing(encoder)), None, progress)

    with pytest.raises(RuntimeError, match="primitive descriptor"):
        model.encode(pictures(encoder, 1, POISON))
    assert progress.fault is None


def test_only_the_model_of_new_collections_says_that_the_embedder_is_unwell(
    tiny_clip_artifact: Path, encoder: Encoder
) -> None:
    """An embedder that is started again for what a migration is to would take in nothing else either."""
    settings, progress, failing = Settings(model=str(tiny_clip_artifact)), Progress(), list[Failing]()
    made = embedding_model(settings, progress)

    def make(model: Model) -> EmbeddingModel:
        failing.append(Failing(model.encoder))
        return made(replace(model, encoder=cast(Encoder, failing[-1])))

    models = ModelRegistry(settings, make)
    ours, other = models.of_new_collections, models.get(encoder.manifest.space, Precision.F32)
    failing[1].is_broken = True
    with pytest.raises(EncoderBroken):
        other.encode(pictures(encoder, 1))
    assert progress.fault is None

    failing[0].is_broken, failing[1].is_broken = True, False
    with pytest.raises(EncoderBroken) as caught:
        ours.encode(pictures(encoder, 1))
    other.encode(pictures(encoder, 1))
    assert progress.fault == str(caught.value)
