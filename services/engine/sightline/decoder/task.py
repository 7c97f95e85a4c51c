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
    perhaps a thumbnail and a perceptual hash, which are of all of it in any case.

    Views are those of the plan's model, unless they are wanted for others: `models` gives the preprocessing
    of each.
    """

    thumbnail: bool = False
    perceptual_hash: bool = False
    box: Box | None = None
    models: tuple[Preprocessing, ...] = ()


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

    def models(self, wanted: Wanted) -> tuple[Preprocessing, ...]:
        """The preprocessing of each model that views are wanted for."""
        return wanted.models or (self.preprocessing,)

    def min_side(self, wanted: Wanted) -> int:
        """The short side in pixels that decoding aims at; a thumbnail's side is its long one."""
        # Of a sliver no more than the full picture can be had.
        share = 1.0 if wanted.box is None else max(wanted.box.shortest, 1e-3)
        side_for_views = ceil(max(one.size for one in self.models(wanted)) / share)
        return max(side_for_views, self.thumbnail_side // 2 if wanted.thumbnail else 0)


@dataclass(frozen=True)
class Decoded:
    """`views`: uint8, shape (views, size, size, 3), RGB, for the first model; `other_views` for further ones.
    If asked for: `thumbnail`, WebP, and `perceptual_hash`, as hexadecimal digits."""

    info: PictureInfo
    views: NDArray[np.uint8]
    thumbnail: bytes | None
    perceptual_hash: str | None = None
    other_views: tuple[NDArray[np.uint8], ...] = ()


def decode_picture(data: bytes, plan: DecodePlan, wanted: Wanted) -> Decoded:
    """Decode a picture in this process; raises BadPicture."""
    picture = open_picture(data, plan.limits, plan.min_side(wanted), plan.exif_fields)
    part = picture.image if wanted.box is None else wanted.box.crop(picture.image)
    views, *others = (prepare(part, one) for one in plan.models(wanted))
    return Decoded(
        info=picture.info,
        views=views,
        other_views=tuple(others),
        thumbnail=make_thumbnail(picture.image, plan.thumbnail_side) if wanted.thumbnail else None,
        perceptual_hash=_hashed(picture.image) if wanted.perceptual_hash else None,
    )


def _hashed(image: Image.Image) -> str:
    # Imported here: it brings scipy along, which those who have pictures decoded elsewhere do not need.
    from sightline.pictures.perceptual_hash import perceptual_hash

    return perceptual_hash(image)
