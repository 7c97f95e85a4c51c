"""Pictures for the engine's tests: real photos, and a picture whose corners tell which way is up."""

from pathlib import Path

import numpy as np
import pytest
import skimage
import sklearn
from PIL import Image

from sightline.encoder.artifact import Preprocessing, View
from sightline.pictures import PictureLimits, register_decoders

MIB = 1 << 20


@pytest.fixture(scope="session", autouse=True)
def _decoders() -> None:
    register_decoders()


@pytest.fixture(scope="session")
def photo_files() -> dict[str, Path]:
    """Real photos by name: rocket, retina and china are JPEG, chelsea is PNG."""
    skimage_data = Path(skimage.__file__).parent / "data"
    sklearn_images = Path(sklearn.__file__).parent / "datasets" / "images"
    return {
        "rocket": skimage_data / "rocket.jpg",
        "retina": skimage_data / "retina.jpg",
        "chelsea": skimage_data / "chelsea.png",
        "china": sklearn_images / "china.jpg",
    }


@pytest.fixture(scope="session")
def china(photo_files: dict[str, Path]) -> Image.Image:
    """A photo of 640 x 427 pixels, RGB."""
    with Image.open(photo_files["china"]) as image:
        return image.convert("RGB")


@pytest.fixture(scope="session")
def corners() -> Image.Image:
    """64 x 32 pixels, RGB: red, green, blue and yellow quarters, clockwise from the top left."""
    pixels = np.empty((32, 64, 3), np.uint8)
    pixels[:16, :32], pixels[:16, 32:] = (200, 30, 30), (30, 160, 30)
    pixels[16:, 32:], pixels[16:, :32] = (30, 30, 200), (200, 180, 30)
    return Image.fromarray(pixels)


@pytest.fixture(scope="session")
def limits() -> PictureLimits:
    return PictureLimits(max_bytes=16 * MIB, max_pixels=20_000_000)


@pytest.fixture(scope="session")
def preprocessing() -> Preprocessing:
    """CLIP's, at 224 pixels."""
    return Preprocessing(
        size=224,
        views=(View.CENTER_CROP,),
        resample="bicubic",
        mean=(0.48145466, 0.4578275, 0.40821073),
        std=(0.26862954, 0.26130258, 0.27577711),
    )
