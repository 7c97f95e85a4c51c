"""Photos as phones store them, and the ways to decode them that are compared."""

from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image, ImageOps

from sightline.decoder.task import FOR_THE_INDEX, DecodePlan, decode_picture
from sightline.encoder import Views
from sightline.encoder.artifact import Preprocessing
from sightline.encoder.preprocessing import prepare
from sightline.pictures import PictureLimits

_LIMITS = PictureLimits(max_bytes=128 << 20, max_pixels=250_000_000)
_THUMBNAIL_SIDE = 384
_ENLARGED = (3.0, 8.0)

Decode = Callable[[bytes, Preprocessing], Views]


def as_phones_store(photos: Sequence[Image.Image], size: int) -> list[bytes]:
    """The photos, enlarged, as JPEG files of quality 90 that lie on their side."""
    chance = np.random.default_rng(7)
    return [_lying(photo, size * chance.uniform(*_ENLARGED)) for photo in photos]


def _lying(photo: Image.Image, short_side: float) -> bytes:
    scale = max(short_side / min(photo.size), 1.0)
    width, height = (round(length * scale) for length in photo.size)
    enlarged = photo.resize((width, height), Image.Resampling.LANCZOS)
    exif, encoded = Image.Exif(), BytesIO()
    exif[ExifTags.Base.Orientation] = 6
    enlarged.transpose(Image.Transpose.ROTATE_90).save(encoded, "JPEG", quality=90, exif=exif)
    return encoded.getvalue()


def full(data: bytes, spec: Preprocessing) -> Views:
    """Every pixel, upright: what the pipeline is measured against."""
    with Image.open(BytesIO(data)) as file:
        return prepare(ImageOps.exif_transpose(file).convert("RGB"), spec)


def pipeline(data: bytes, spec: Preprocessing) -> Views:
    """What a decode process makes of a file."""
    return decode_picture(data, DecodePlan(_LIMITS, spec, _THUMBNAIL_SIDE), FOR_THE_INDEX).views


def without_rotation(data: bytes, spec: Preprocessing) -> Views:
    """Control: the orientation is ignored."""
    with Image.open(BytesIO(data)) as file:
        return prepare(file.convert("RGB"), spec)


def drafted_once(data: bytes, spec: Preprocessing) -> Views:
    """Control: the smallest of JPEG's scales that is no smaller than the network's size."""
    with Image.open(BytesIO(data)) as file:
        file.draft(None, (spec.size, spec.size))
        return prepare(ImageOps.exif_transpose(file).convert("RGB"), spec)


CONTROLS: dict[str, Decode] = {"no rotation": without_rotation, "drafted to 1x": drafted_once}
