"""From any colour mode and profile to the opaque 8-bit sRGB picture that a person sees."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms, TiffImagePlugin

_WHITE = (255, 255, 255)
_IDENTITY_LEVELS = 1
"""A transform that moves no channel by more than this many of 255 levels is left out."""


def to_srgb(image: Image.Image, profile: bytes | None, *, key_bits: int = 8) -> Image.Image:
    """A new RGB image: colours of the ICC `profile` brought to sRGB, transparency over white.

    A profile that is broken, or meant for another colour mode, is ignored as browsers do. Grey of 16 bits
    or more, and floating-point grey, is scaled to 8 bits (`_grey_of_8_bits`). The transparent colour that
    PNG's tRNS or GIF names is read from `image.info`; its levels have `key_bits` bits.
    """
    colour, alpha = _split_alpha(image, key_bits)
    if colour.mode == "LAB":
        rgb = ImageCms.applyTransform(colour, _lab_to_srgb())
    else:
        transform = _transform_to_srgb(profile, colour.mode) if profile else None
        if transform:
            rgb = transform.apply(colour)
        else:
            rgb = colour if colour.mode == "RGB" and colour is not image else colour.convert("RGB")
    if rgb is None:
        raise ValueError("LittleCMS gave no picture.")
    if alpha is not None and _lowest(alpha) < 255:
        rgb.paste(_WHITE, mask=ImageChops.invert(alpha))
    return rgb


def _split_alpha(image: Image.Image, key_bits: int) -> tuple[Image.Image, Image.Image | None]:
    """The colours in a mode that profiles are made for (L, RGB, CMYK, LAB), and alpha (L) if there is any."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _grey_of_8_bits(image)
    if image.mode in ("CMYK", "LAB"):
        return image, None
    if image.mode in ("La", "RGBa"):
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    elif image.mode in ("P", "PA") or "transparency" in image.info:
        image = _with_8_bit_key(image, key_bits)
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    match image.mode:
        case "LA" | "RGBA":
            return image.convert(image.mode[:-1]), image.getchannel("A")
        case "L" | "RGB":
            return image, None
        case _:
            return image.convert("L" if image.mode == "1" else "RGB"), None


def _with_8_bit_key(image: Image.Image, key_bits: int) -> Image.Image:
    """Pillow reads 16-bit colour as 8 bits, but leaves the transparent colour of PNG's tRNS in 16."""
    key = image.info.get("transparency")
    if not isinstance(key, tuple) or key_bits <= 8:
        return image
    image = image.copy()
    image.info["transparency"] = tuple(level >> (key_bits - 8) for level in key)
    return image


def _grey_of_8_bits(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Grey scaled so that white becomes 255.

    White is the highest level of 12-bit and 16-bit grey. 32-bit and floating-point files name no white: it is
    the smallest of 1 (floating-point only), 255 and 65535 that no pixel exceeds; when all are exceeded, or
    values are negative, the range found is stretched. Values that are not finite are black. Where a TIFF says
    that its lowest level is white, all this is turned round.
    """
    values: NDArray[np.generic] = np.asarray(image)
    if image.mode.startswith("I;16"):
        eight = _eight_bits_of(_grey_bits(image), white_is_zero=_white_is_zero(image))[values]
        key = image.info.get("transparency")
        alpha = None if key is None else Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
        return Image.fromarray(eight), alpha
    numbers = values.astype(np.float64)
    finite = np.isfinite(numbers)
    numbers = np.where(finite, numbers, 0.0)
    low, high = float(numbers.min()), float(numbers.max())
    whites = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    white = next((one for one in whites if high <= one), None)
    if low >= 0 and white is not None:
        low, high = 0.0, white
    scaled = (numbers - low) / (high - low or 1.0) * 255
    if _white_is_zero(image):
        scaled = 255 - scaled
    return Image.fromarray(np.where(finite, scaled.round(), 0).astype(np.uint8)), None


def _eight_bits_of(bits: int, *, white_is_zero: bool) -> NDArray[np.uint8]:
    """The 8-bit grey of each level that 16 bits can hold, of which a picture uses the lowest `bits`."""
    white = (1 << bits) - 1
    levels = np.minimum(np.arange(65536, dtype=np.uint32), white)
    if white_is_zero:
        levels = white - levels
    return ((levels * 255 + white // 2) // white).astype(np.uint8)


def _grey_bits(image: Image.Image) -> int:
    """The bits of a level: Pillow holds 12-bit grey in 16 without scaling it."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 16
    return int(image.tag_v2[TiffImagePlugin.BITSPERSAMPLE][0])


def _white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF's lowest level is white, which Pillow sees to in grey of up to 8 bits alone."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    return bool(image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0)


def _lowest(alpha: Image.Image) -> float:
    lowest = alpha.getextrema()[0]
    return lowest if isinstance(lowest, int | float) else lowest[0]


@lru_cache(maxsize=16)
def _transform_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from `profile` to sRGB for images of `mode`; None if there is none to apply.

    Kept per profile: most pictures of a collection carry one of a handful, most of those plain sRGB.
    """
    try:
        transform = ImageCms.ImageCmsTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # the documented answer to a profile that does not fit: the colours as they stand
    return None if mode == "RGB" and _is_identity(transform) else transform


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """Try it on a grid of 9 x 9 x 9 colours."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    moved = np.asarray(transform.apply(Image.fromarray(grid)), dtype=np.int16)
    return int(np.abs(moved - grid).max()) <= _IDENTITY_LEVELS


@lru_cache(maxsize=1)
def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    return ImageCms.ImageCmsTransform(
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        "LAB",
        "RGB",
    )
