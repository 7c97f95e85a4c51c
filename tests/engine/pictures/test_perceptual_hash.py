from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from skimage import data as skimage_data

from sightline.likeness import PERCEPTUAL_BITS
from sightline.look import HASH_BITS
from sightline.pictures.perceptual_hash import perceptual_hash

PHOTOS = ("chelsea.png", "coffee.png", "rocket.jpg", "astronaut.png", "motorcycle_left.png", "coins.png")


def photo(name: str) -> Image.Image:
    with Image.open(Path(skimage_data.__file__).parent / name) as opened:
        return opened.convert("RGB")


def compressed(image: Image.Image, quality: int) -> Image.Image:
    out = BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")


def turned(one: Image.Image, other: Image.Image) -> int:
    bits = [np.frombuffer(bytes.fromhex(perceptual_hash(image)), np.uint8) for image in (one, other)]
    return int(np.bitwise_count(bits[0] ^ bits[1]).sum())


@pytest.mark.parametrize("name", PHOTOS)
def test_copies_are_near(name: str) -> None:
    original = photo(name)
    width, height = original.size
    small = original.resize((width // 3, height // 3), Image.Resampling.LANCZOS)
    inner = original.crop((width // 40, height // 40, width - width // 40, height - height // 40))

    assert turned(original, small) <= 20
    assert turned(original, compressed(original, 30)) <= 20
    assert turned(original, ImageEnhance.Brightness(original).enhance(1.2)) <= PERCEPTUAL_BITS
    assert turned(original, inner) <= PERCEPTUAL_BITS


def test_other_pictures_are_far() -> None:
    distances = [turned(photo(one), photo(other)) for one in PHOTOS for other in PHOTOS if one != other]
    assert min(distances) > PERCEPTUAL_BITS + 20


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3, 2), (64, 64)])
def test_any_picture_has_a_hash(size: tuple[int, int]) -> None:
    assert len(perceptual_hash(Image.new("RGB", size, "red"))) == HASH_BITS // 4
