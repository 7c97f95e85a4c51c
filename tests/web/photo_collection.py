"""The photos that the page is tested with: real ones, with tags, metadata and dates of their own."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from PIL import ExifTags, Image

from sightline_local.samples import copy_samples

METADATA_FIELDS = json.dumps({"place": "keyword", "year": "integer"})
_TAGS = {
    "animal": ("chelsea.png", "horse.png"),
    "space": ("astronaut.png", "hubble_deep_field.jpg", "moon.png", "rocket.jpg"),
    "texture": ("brick.png", "grass.png", "gravel.png"),
    "kept": ("chelsea.png", "coffee.png", "rocket.jpg"),
}
_PLACES = {
    "coffee.png": "studio",
    "chelsea.png": "studio",
    "coins.png": "studio",
    "china.jpg": "outdoors",
    "rocket.jpg": "outdoors",
}
_TAKEN = {"china.jpg": 2019, "flower.jpg": 2020, "rocket.jpg": 2021, "retina.jpg": 2022}
"""Years that are in the files; the others were last changed in _CHANGED."""
_CHANGED = datetime(2024, 6, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Photos:
    """A folder of photos, and how many there are."""

    folder: Path
    count: int


def make_photos(folder: Path) -> Photos:
    """Copy the photos into a folder, and give them their dates."""
    copy_samples(folder)
    for name, year in _TAKEN.items():
        _take_in(folder / name, year)
    files = sorted(folder.iterdir())
    for number, file in enumerate(files):
        moment = _CHANGED.timestamp() + 60 * number
        os.utime(file, (moment, moment))
    return Photos(folder, len(files))


def describe(api: httpx.Client) -> None:
    """Give the photos of a collection their tags and metadata."""
    items = api.get("/v1/images", params={"limit": 200}).json()["items"]
    for item in items:
        name = name_of(item)
        metadata = {"place": _PLACES.get(name), "year": _TAKEN.get(name)}
        change = {
            "tags": [tag for tag, names in _TAGS.items() if name in names],
            "metadata": {field: value for field, value in metadata.items() if value is not None},
        }
        api.patch(f"/v1/images/{item['id']}", json=change).raise_for_status()


def name_of(image: Any) -> str:
    """The name of the file that a picture came from."""
    return Path(image["sources"][0]["uri"].removeprefix("upload:")).name


def _take_in(photo: Path, year: int) -> None:
    with Image.open(photo) as image:
        exif = image.getexif()
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"{year}:07:01 12:00:00"
        image.save(photo, exif=exif, quality=95)
