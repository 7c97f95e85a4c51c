"""What is made of one picture for the index: facts, pixels for the encoder, a thumbnail."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.encoder.artifact import Preprocessing
from sightline.encoder.preprocessing import prepare
from sightline.payload import ExifField
from sightline.pictures import PictureInfo, PictureLimits, open_picture
from sightline.pictures.box import Box
from sightline.pictures.thumbnails import make_thumbnail


@dataclass(frozen=True)
class Wanted:
    """What to make of one picture beside its facts: views of all of it or of the part in `box`, and
    perhaps a thumbnail and a perceptual hash, which are of all of it in any case."""

    thumbnail: bool = False
    perceptual_hash: bool = False
    box: Box | None = None


FOR_THE_INDEX = Wanted(thumbnail=True, perceptual_hash=True)


@dataclass(frozen=True)
class DecodePlan:
    """What every picture is decoded for.

    `thumbnail_side` is the longest side of thumbnails, in pixels; `exif_fields` is what to read of EXIF
    beside orientation and time.
    """

    limits: PictureLimits
    preprocessing: Preprocessing
    thumbnail_side: int
    exif_fields: tuple[ExifField, ...] = ()

    def min_side(self, wanted: Wanted) -> int:
        """The short side in pixels that decoding aims at; a thumbnail's side is its long one."""
        # Of a sliver no more than the full picture can be had.
        share = 1.0 if wanted.box is None else max(wanted.box.shortest, 1e-3)
        side_for_views = ceil(self.preprocessing.size / share)
        return max(side_for_views, self.thumbnail_side // 2 if wanted.thumbnail else 0)


@dataclass(frozen=True)
class Decoded:
    """`views`: uint8, shape (views, size, size, 3), RGB. If asked for: `thumbnail`, WebP, and
    `perceptual_hash`, as hexadecimal digits."""

    info: PictureInfo
    views: NDArray[np.uint8]
    thumbnail: bytes | None
    perceptual_hash: str | None = None


def decode_picture(data: bytes, plan: DecodePlan, wanted: Wanted) -> Decoded:
    """Decode a picture in this process; raises BadPicture."""
    picture = open_picture(data, plan.limits, plan.min_side(wanted), plan.exif_fields)
    part = picture.image if wanted.box is None else wanted.box.crop(picture.image)
    return Decoded(
        info=picture.info,
        views=prepare(part, plan.preprocessing),
        thumbnail=make_thumbnail(picture.image, plan.thumbnail_side) if wanted.thumbnail else None,
        perceptual_hash=_hashed(picture.image) if wanted.perceptual_hash else None,
    )


def _hashed(image: Image.Image) -> str:
    # Imported here: it brings scipy along, which those who have pictures decoded elsewhere do not need.
    from sightline.pictures.perceptual_hash import perceptual_hash

    return perceptual_hash(image)
