"""Pictures as an image tower sees them, in a file that several processes read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sightline.encoder.artifact import Preprocessing
from sightline.encoder.preprocessing import prepare


@dataclass(frozen=True)
class PreparedPictures:
    """`pixels` are uint8, shape (n, size, size, 3); `mean` and `std`, shape (3,), go by RGB of 0 to 1."""

    pixels: NDArray[np.uint8]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    @classmethod
    def of(cls, files: Sequence[Path], spec: Preprocessing) -> Self:
        """Decode the files fully and fit them into the square of `spec`'s first view."""
        pixels = np.stack([prepare(_upright(file), spec)[0] for file in files])
        return cls(pixels, np.array(spec.mean, np.float32), np.array(spec.std, np.float32))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read `save` back."""
        with np.load(path) as arrays:
            return cls(arrays["pixels"], arrays["mean"], arrays["std"])

    def save(self, path: Path) -> None:
        """Write them to a file."""
        np.savez(path, pixels=self.pixels, mean=self.mean, std=self.std)

    def normalised(self) -> NDArray[np.float32]:
        """What libraries take that do not normalise by themselves: float32, shape (n, 3, size, size)."""
        values = (self.pixels / np.float32(255) - self.mean) / self.std
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)


def _upright(file: Path) -> Image.Image:
    with Image.open(file) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")
