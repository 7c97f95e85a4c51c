from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sentence_transformers import SentenceTransformer

from sightline.encoder import Encoder, Views
from sightline.encoder.artifact import Artifact
from sightline.encoder.preprocessing import prepare
from sightline.encoder.self_test import lowest_cosine, self_test
from sightline.encoder.torch import SentenceTransformersEncoder, load_sentence_transformer
from sightline.errors import ModelError

TEXTS = ["a cat", "A Dog!", "été", "a long text " * 50]


@pytest.fixture(scope="module")
def torch_encoder(artifact: Artifact) -> SentenceTransformersEncoder:
    return SentenceTransformersEncoder(artifact)


def test_encodes_as_sentence_transformers_does(
    torch_encoder: SentenceTransformersEncoder, tiny_clip_folder: Path, pictures: list[Image.Image]
) -> None:
    stock = SentenceTransformer(str(tiny_clip_folder), device=torch_encoder.device)

    images = stock.encode(pictures, normalize_embeddings=True)
    texts = stock.encode(TEXTS, normalize_embeddings=True)

    np.testing.assert_allclose(torch_encoder.encode_images(pictures), images, atol=1e-6)
    np.testing.assert_allclose(torch_encoder.encode_texts(TEXTS), texts, atol=1e-6)


def test_prepared_pictures_give_the_same_vectors(
    torch_encoder: SentenceTransformersEncoder, pictures: list[Image.Image]
) -> None:
    views = np.stack([prepare(picture, torch_encoder.manifest.preprocessing) for picture in pictures])

    assert lowest_cosine(torch_encoder.encode_views(views), torch_encoder.encode_images(pictures)) > 0.99999


def test_agrees_with_openvino(
    torch_encoder: SentenceTransformersEncoder, encoder: Encoder, views: Views
) -> None:
    assert lowest_cosine(torch_encoder.encode_views(views), encoder.encode_views(views)) > 0.99999
    assert lowest_cosine(torch_encoder.encode_texts(TEXTS), encoder.encode_texts(TEXTS)) > 0.99999


def test_passes_the_self_test(torch_encoder: SentenceTransformersEncoder, artifact: Artifact) -> None:
    self_test(torch_encoder, artifact)


def test_nothing_in_gives_nothing_out(torch_encoder: SentenceTransformersEncoder, views: Views) -> None:
    assert torch_encoder.encode_views(views[:0]).shape == (0, 32)
    assert torch_encoder.encode_images([]).shape == (0, 32)
    assert torch_encoder.encode_texts([]).shape == (0, 32)


def test_long_text_exceeds_the_context(torch_encoder: SentenceTransformersEncoder) -> None:
    assert torch_encoder.exceeds_context(TEXTS[-1])
    assert not torch_encoder.exceeds_context(TEXTS[0])


def test_source_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Name a folder that holds the model"):
        load_sentence_transformer(str(tmp_path / "gone"), device="cpu")
