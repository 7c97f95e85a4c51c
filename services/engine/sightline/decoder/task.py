"""What is made of one picture for the index: facts, pixels for the encoder, a thumbnail."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.encoder.artifact import Preprocessing
from sightline.encoder.preprocessing import prepare
from sightline.payload import ExifField
from sightline.pictures import PictureInfo, PictureLimits, open_picture
from sightline.pictures.thumbnails import make_thumbnail


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

    def min_side(self, thumbnail: bool) -> int:
        """The short side in pixels that decoding aims at; a thumbnail's side is its long one."""
        return max(self.preprocessing.size, self.thumbnail_side // 2 if thumbnail else 0)


@dataclass(frozen=True)
class Decoded:
    """`views`: uint8, shape (views, size, size, 3), RGB. `thumbnail`: WebP, if asked for."""

    info: PictureInfo
    views: NDArray[np.uint8]
    thumbnail: bytes | None


def decode_picture(data: bytes, plan: DecodePlan, thumbnail: bool) -> Decoded:
    """Decode a picture in this process; raises BadPicture."""
    picture = open_picture(data, plan.limits, plan.min_side(thumbnail), plan.exif_fields)
    return Decoded(
        info=picture.info,
        views=prepare(picture.image, plan.preprocessing),
        thumbnail=make_thumbnail(picture.image, plan.thumbnail_side) if thumbnail else None,
    )
