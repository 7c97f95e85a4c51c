from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.encoder import Encoder, Vectors, Views
from sightline.encoder.artifact import Artifact, Manifest, open_artifact
from sightline.encoder.openvino import OpenVinoEncoder, cpu_has_bf16
from sightline.encoder.self_test import self_test
from sightline.errors import ModelError
from sightline.settings import Precision


class Spoilt:
    """An encoder whose vectors go through a function on their way out."""

    def __init__(self, encoder: Encoder, spoil: Callable[[Vectors], Vectors], kind: str) -> None:
        self._encoder = encoder
        self._image = spoil if kind == "image" else _kept
        self._text = spoil if kind == "text" else _kept

    @property
    def manifest(self) -> Manifest:
        return self._encoder.manifest

    @property
    def numerics(self) -> str:
        return self._encoder.numerics

    def encode_views(self, views: Views) -> Vectors:
        return self._image(self._encoder.encode_views(views))

    def encode_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        return self._encoder.encode_images(pictures)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._text(self._encoder.encode_texts(texts))

    def exceeds_context(self, text: str) -> bool:
        return self._encoder.exceeds_context(text)


def _kept(vectors: Vectors) -> Vectors:
    return vectors


def _one_nan(vectors: Vectors) -> Vectors:
    spoilt = vectors.copy()
    spoilt[-1, 0] = np.nan
    return spoilt


def _turned(vectors: Vectors) -> Vectors:
    noise = np.random.default_rng(0).normal(0, 0.01, vectors.shape)
    turned = vectors + noise
    return (turned / np.linalg.norm(turned, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("kind", ["image", "text"])
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_one_nan, "NaN"),
        (lambda vectors: vectors * 2, "not normalised"),
        (lambda vectors: np.repeat(vectors[:1], len(vectors), 0), "all .* vectors are equal"),
        (lambda vectors: vectors[:, :-1], "shape"),
        (lambda vectors: vectors[::-1], "differ from the recorded ones"),
        (_turned, "differ from the recorded ones"),
    ],
)
def test_says_what_is_wrong(
    artifact: Artifact, encoder: Encoder, kind: str, spoil: Callable[[Vectors], Vectors], says: str
) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        self_test(Spoilt(encoder, spoil, kind), artifact)
    assert kind in str(caught.value)


def test_right_vectors_pass(artifact: Artifact, encoder: Encoder) -> None:
    self_test(encoder, artifact)


@pytest.mark.skipif(not cpu_has_bf16(), reason="this CPU does not compute in bf16")
def test_bf16_passes(artifact: Artifact) -> None:
    self_test(OpenVinoEncoder(artifact, Precision.BF16), artifact)


def test_starter_passes(starter_artifact: Path) -> None:
    artifact = open_artifact(starter_artifact)

    self_test(OpenVinoEncoder(artifact), artifact)
