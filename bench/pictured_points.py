"""Points that can be looked at: each has a thumbnail, a cut of a real photo, and the shape of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from bench.search_points import SearchPoints
from bench.search_services import COLLECTION
from sightline.index import CollectionSpec, Point, VectorIndex
from sightline.media import MediaStore
from sightline.payload import indexed_fields
from sightline.pictures.thumbnails import make_thumbnail
from sightline_local.samples import copy_samples

_PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "china.jpg", "flower.jpg")
_CUTS = 60
_SIDE = 384
"""Of thumbnails, as the service makes them."""


@dataclass(frozen=True)
class Cut:
    """A thumbnail as WebP, with its sides in pixels."""

    data: bytes
    width: int
    height: int


def fill_with_pictures(index: VectorIndex, media: MediaStore, points: SearchPoints, samples: Path) -> None:
    """Insert points into the collection that searches use, and keep a thumbnail for each.

    `samples` is a folder for the photos that they are cut from. Points share thumbnails: what a browser does
    with a picture does not depend on another being like it.
    """
    cuts = list(_cuts(samples))
    records = [_shaped(point, cuts[number % _CUTS]) for number, point in enumerate(points.records())]
    for number, point in enumerate(records):
        media.put_thumbnail(COLLECTION, point.id, cuts[number % _CUTS].data)
    spec = CollectionSpec(COLLECTION, points.space, points.vectors.shape[1], indexed_fields({}))
    index.ensure_collection(spec)
    index.insert(COLLECTION, records)


def _shaped(point: Point, cut: Cut) -> Point:
    shape = {"width": 10 * cut.width, "height": 10 * cut.height}
    return replace(point, payload=point.payload.model_copy(update=shape))


def _cuts(samples: Path) -> Iterator[Cut]:
    folder = copy_samples(samples)
    photos = [Image.open(folder / name).convert("RGB") for name in _PHOTOS]
    chance = np.random.default_rng(3)
    for number in range(_CUTS):
        photo = photos[number % len(_PHOTOS)]
        width, height = (int(side * chance.uniform(0.5, 1)) for side in photo.size)
        data = make_thumbnail(photo.crop((0, 0, width, height)), _SIDE)
        with Image.open(BytesIO(data)) as made:
            yield Cut(data, made.width, made.height)
