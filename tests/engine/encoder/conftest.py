from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.encoder import Encoder, Views
from sightline.encoder.artifact import Artifact, open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.settings import Precision


@pytest.fixture(scope="session")
def artifact(tiny_clip_artifact: Path) -> Artifact:
    return open_artifact(tiny_clip_artifact)


@pytest.fixture(scope="session")
def encoder(artifact: Artifact) -> Encoder:
    return OpenVinoEncoder(artifact, Precision.F32)


@pytest.fixture
def pictures() -> list[Image.Image]:
    random = np.random.default_rng(7)
    sizes = [(80, 120), (200, 70), (64, 64), (31, 45)]
    return [Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in sizes]


@pytest.fixture
def views() -> Views:
    return np.random.default_rng(3).integers(0, 256, (70, 1, 64, 64, 3), dtype=np.uint8)
