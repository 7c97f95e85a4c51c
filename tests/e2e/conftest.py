"""Pictures for the tests of a whole stack."""

import random
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def many_pictures(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> Path:
    """500 different pictures: crops of real photos."""
    folder = tmp_path_factory.mktemp("many")
    chance = random.Random(11)
    photos = [
        Image.open(photo_folder / name).convert("RGB") for name in ("chelsea.png", "coffee.png", "rocket.jpg")
    ]
    for number in range(500):
        photo = photos[number % len(photos)]
        left, top = (chance.randrange(side // 2) for side in photo.size)
        crop = photo.crop((left, top, left + photo.width // 2, top + photo.height // 2))
        crop.resize((160 + number % 97, 160 + number % 89)).save(folder / f"{number:03}.jpg", quality=85)
    return folder
