"""From bytes to the upright sRGB picture a person sees, within limits, or BadPicture with the reason."""

import threading
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import pillow_heif
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from sightline.errors import BadPicture, FailureReason
from sightline.payload import ExifField
from sightline.pictures.colour import to_srgb
from sightline.pictures.exif import Location, read_exif
from sightline.pictures.failures import explain
from sightline.pictures.formats import foreign_format, readable_format

_NAMES = {
    JpegImagePlugin.JpegImageFile.format: "jpeg",
    "MPO": "jpeg",
    PngImagePlugin.PngImageFile.format: "png",
    WebPImagePlugin.WebPImageFile.format: "webp",
    GifImagePlugin.GifImageFile.format: "gif",
    BmpImagePlugin.BmpImageFile.format: "bmp",
    TiffImagePlugin.TiffImageFile.format: "tiff",
    AvifImagePlugin.AvifImageFile.format: "avif",
    pillow_heif.HeifImageFile.format: "heic",
}
"""Pillow's names and ours. MPO is what phones write: a JPEG with further pictures behind it."""

_OPENED_AS = tuple(name for name in _NAMES if name != "MPO")

_PNG_DEPTH_AT = 24
"""Where a PNG's header, the first of its chunks, has the bits of a level."""

_DRAFT_RATIO = 2
"""A JPEG is decoded to no less than this many times what is asked for: 1 loses 10 % of the cosine."""

_PILLOW = threading.Lock()
"""Pillow's pixel limit and the warning filters belong to the whole process."""


@dataclass(frozen=True)
class PictureLimits:
    """The largest file, in bytes, and the largest picture, in pixels, that is decoded.

    `memory_bytes` is what a limit on this process leaves for decoding, if there is one: some decoders
    fail for want of memory without saying so.
    """

    max_bytes: int
    max_pixels: int
    memory_bytes: int | None = None


@dataclass(frozen=True)
class PictureInfo:
    """`width` and `height` are pixels of the upright picture in full size, `bytes` the size of its file.

    `format` is one of jpeg, png, webp, gif, bmp, tiff, avif, heic. `taken_at` is timezone-aware.
    `camera` (at most 256 characters) and `location` are None unless they were asked for.
    """

    format: str
    width: int
    height: int
    bytes: int
    taken_at: datetime | None
    camera: str | None = None
    location: Location | None = None


@dataclass(frozen=True)
class Picture:
    """`image` is upright, opaque, of mode RGB, in sRGB; a JPEG may come smaller than `info` says."""

    image: Image.Image
    info: PictureInfo


def open_picture(
    data: bytes, limits: PictureLimits, min_side: int, exif_fields: Collection[ExifField] = ()
) -> Picture:
    """Decode the first frame of `data`; raises BadPicture and nothing else.

    A JPEG is decoded at the smallest of its scales (1/1 to 1/8) that leaves both sides at least
    twice `min_side` pixels. `exif_fields` is what to read of EXIF beside orientation and time.
    Threads take turns: decode in processes (`PictureDecoder`) for speed.
    """
    name = _recognise(data, limits)
    try:
        with _pillow_within(limits), Image.open(BytesIO(data), formats=_OPENED_AS) as file:
            return _decode(file, data, limits, min_side, exif_fields)
    except BadPicture:
        raise
    except Exception as error:  # Decoders raise what they like; `explain` gives each a reason.
        raise explain(error, data, name, limits.max_pixels, limits.memory_bytes) from error


def register_decoders() -> None:
    """Teach Pillow to read HEIC, bounded to the picture itself; done by `open_picture` when needed."""
    if pillow_heif.HeifImageFile.format in Image.OPEN:
        return
    # One thread each: pictures are decoded side by side, one process per core.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def _recognise(data: bytes, limits: PictureLimits) -> str:
    if not data:
        raise BadPicture(FailureReason.EMPTY, "The file is empty.")
    if len(data) > limits.max_bytes:
        raise BadPicture(
            FailureReason.TOO_MANY_BYTES,
            f"The file has {len(data):,} bytes; the limit is {limits.max_bytes:,}.",
        )
    if foreign := foreign_format(data):
        raise BadPicture(
            FailureReason.UNSUPPORTED_FORMAT,
            f"The file is of the format {foreign}, which is not read. Convert it to JPEG, PNG or WebP.",
        )
    name = readable_format(data)
    if name is None:
        raise BadPicture(FailureReason.NOT_AN_IMAGE, "The file does not begin like any known picture format.")
    return name


@contextmanager
def _pillow_within(limits: PictureLimits) -> Iterator[None]:
    """Make our pixel limit Pillow's own, inside of files too, and silence its warnings."""
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        register_decoders()
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = (limits.max_pixels + 1) // 2  # Pillow refuses what is over twice its limit
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _decode(
    file: ImageFile.ImageFile,
    data: bytes,
    limits: PictureLimits,
    min_side: int,
    exif_fields: Collection[ExifField],
) -> Picture:
    width, height = file.size
    if width * height > limits.max_pixels:
        raise BadPicture(
            FailureReason.TOO_MANY_PIXELS,
            f"The picture has {width:,} x {height:,} pixels; the limit is {limits.max_pixels:,} pixels.",
        )
    name = _NAMES[file.format or ""]
    if isinstance(file, TiffImagePlugin.TiffImageFile):
        _refuse_raw(file)
    if isinstance(file, JpegImagePlugin.JpegImageFile):
        file.draft(None, (_DRAFT_RATIO * min_side, _DRAFT_RATIO * min_side))
    file.load()
    exif = read_exif(file, exif_fields)
    key_bits = data[_PNG_DEPTH_AT] if isinstance(file, PngImagePlugin.PngImageFile) else 8
    image = exif.upright(to_srgb(file, file.info.get("icc_profile"), key_bits=key_bits))
    image.info = {}
    if exif.swaps_sides:
        width, height = height, width
    info = PictureInfo(name, width, height, len(data), exif.taken_at, exif.camera, exif.location)
    return Picture(image, info)


def _refuse_raw(file: TiffImagePlugin.TiffImageFile) -> None:
    """Camera raw files (DNG, NEF, ARW and others) are TIFF files whose first picture is a small preview."""
    dng_version, new_subfile_type, sub_directories = 50706, 254, 330
    reduced = file.tag_v2.get(new_subfile_type, 0) == 1 and sub_directories in file.tag_v2
    if reduced or dng_version in file.tag_v2:
        raise BadPicture(
            FailureReason.UNSUPPORTED_FORMAT,
            "The file is a camera raw file, which is not read. Export it to JPEG, TIFF or HEIC.",
        )
