from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.encoder import Encoder
from sightline.encoder.artifact import open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.errors import ModelError
from sightline.settings import Precision

EVERYDAY = {
    "a cat": "chelsea",
    "a cup of coffee": "coffee",
    "a rocket": "rocket",
    "the moon": "moon",
    "coins": "coins",
    "a horse": "horse",
    "a motorcycle": "motorcycle_left",
    "a clock": "clock_motion",
    "a temple": "china",
    "a photographer with a camera": "camera",
}
OTHERS = (
    "astronaut",
    "brick",
    "cell",
    "color",
    "flower",
    "grass",
    "gravel",
    "hubble_deep_field",
    "ihc",
    "page",
    "text",
)


@pytest.fixture(scope="module")
def starter(starter_artifact: Path) -> Encoder:
    return OpenVinoEncoder(open_artifact(starter_artifact))


@pytest.fixture(scope="module")
def samples() -> dict[str, Image.Image]:
    """The photos in the wheels of scikit-image and scikit-learn, by name."""
    found = {}
    for package, folder in (("skimage", "data"), ("sklearn", "datasets/images")):
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            pytest.skip(f"{package} is not installed")
        for path in (Path(spec.origin).parent / folder).glob("*.[jp][pn]g"):
            if path.stem in {*EVERYDAY.values(), *OTHERS}:
                with Image.open(path) as image:
                    found[path.stem] = image.convert("RGB")
    return found


def test_everyday_queries_find_their_picture(starter: Encoder, samples: dict[str, Image.Image]) -> None:
    names = list(samples)
    scores = starter.encode_texts(list(EVERYDAY)) @ starter.encode_images(list(samples.values())).T
    first = [names[index] for index in scores.argmax(1)]

    right = [query for query, name in zip(EVERYDAY, first, strict=True) if EVERYDAY[query] == name]

    assert len(samples) >= 20
    assert len(right) >= 8, right


def test_starter_runs_in_f32_alone(starter_artifact: Path) -> None:
    artifact = open_artifact(starter_artifact)

    assert OpenVinoEncoder(artifact).numerics == "openvino-f32"
    with pytest.raises(ModelError, match="loses too much"):
        OpenVinoEncoder(artifact, Precision.BF16)


def test_starter_agrees_with_torch(starter_artifact: Path) -> None:
    checks = open_artifact(starter_artifact).manifest.checks

    assert min(checks.image_cosine_f32, checks.text_cosine_f32) >= 0.99999


def test_vectors_of_texts_and_pictures_are_centred(starter: Encoder, samples: dict[str, Image.Image]) -> None:
    vectors = starter.encode_images(list(samples.values()))
    between = vectors @ vectors.T

    assert float(np.median(between[~np.eye(len(vectors), dtype=bool)])) < 0.3
