"""From an upright sRGB picture to the squares of pixels that an image tower sees."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.encoder.artifact import Preprocessing, View

_RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_WHITE = (255, 255, 255)
_LONGEST_RATIO = 8
"""Beyond this aspect ratio a picture is never scaled whole: a thread of pixels would fill the memory."""


def prepare(image: Image.Image, spec: Preprocessing) -> NDArray[np.uint8]:
    """Fit an RGB `image` into each view of `spec`: uint8, shape (views, size, size, 3), RGB, 0 to 255.

    Raises ValueError for an image of another mode.
    """
    if image.mode != "RGB":
        raise ValueError(f"An RGB image is needed, not one of mode {image.mode}.")
    resampling = _RESAMPLING[spec.resample]
    return np.stack([np.asarray(_fit(image, view, spec.size, resampling)) for view in spec.views])


def _fit(image: Image.Image, view: View, size: int, resampling: Image.Resampling) -> Image.Image:
    match view:
        case View.CENTER_CROP:
            return _center_crop(image, size, resampling)
        case View.STRETCH:
            return image.resize((size, size), resampling)
        case View.LETTERBOX:
            return _letterbox(image, size, resampling)


def _center_crop(image: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    """Short side to `size`, then the middle square, rounded as Hugging Face's CLIPImageProcessor does."""
    width, height = image.size
    short = min(width, height)
    scaled_width = size if width == short else int(size * width / short)
    scaled_height = size if height == short else int(size * height / short)
    left, top = (scaled_width - size) // 2, (scaled_height - size) // 2
    if not _square_alone(width, height, size):
        square = (left, top, left + size, top + size)
        return image.resize((scaled_width, scaled_height), resampling).crop(square)
    x, y = width / scaled_width, height / scaled_height
    box = (left * x, top * y, min(width, (left + size) * x), min(height, (top + size) * y))
    return image.resize((size, size), resampling, box=box)


def _square_alone(width: int, height: int, size: int) -> bool:
    """Whether to compute the middle square alone, a quarter less work for a photo.

    Of some upright pictures Pillow would scale columns before rows then, and round otherwise than the
    reference, by up to 0.4 levels in the mean; of the others the pixels are the same.
    """
    if height > _LONGEST_RATIO * width:
        return True
    return width >= height or (width >= 2 * size and 2 * height <= 3 * width)


def _letterbox(image: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    longest = max(image.size)
    width, height = (max(1, round(length * size / longest)) for length in image.size)
    square = Image.new("RGB", (size, size), _WHITE)
    square.paste(image.resize((width, height), resampling), ((size - width) // 2, (size - height) // 2))
    return square
