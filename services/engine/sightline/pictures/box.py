"""A part of a picture, in fractions of its sides."""

from dataclasses import dataclass
from math import ceil, floor

from PIL import Image


@dataclass(frozen=True)
class Box:
    """Left, top, right and bottom of a part of an upright picture, as fractions of its width and height."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        """Raise ValueError for a box that reaches outside of the picture or has no area."""
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ValueError(
                "a box is left, top, right and bottom as fractions from 0 to 1, left below right and top "
                "below bottom"
            )

    @property
    def shortest(self) -> float:
        """The smaller of the two shares of the picture's sides."""
        return min(self.right - self.left, self.bottom - self.top)

    def crop(self, image: Image.Image) -> Image.Image:
        """The part of an image, at least one pixel wide and high; pixels on its edge belong to it."""
        width, height = image.size
        return image.crop(
            (
                min(floor(self.left * width), width - 1),
                min(floor(self.top * height), height - 1),
                max(ceil(self.right * width), 1),
                max(ceil(self.bottom * height), 1),
            )
        )
