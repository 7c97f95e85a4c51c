"""The pictures and texts that every model is compared on: made, not shipped."""

import numpy as np
from PIL import Image, ImageDraw

TEXTS = (
    "a cat",
    "Two Dogs, playing in the SNOW!",
    "une tasse de café près de la fenêtre",
    "夕焼けの海",
    " ".join(["a long description of a photograph taken by the sea on a summer evening"] * 9)[:600],
    "42",
)
"""Short and long (600 characters), mixed case, accents, another script, digits."""

_SIZES = ((640, 480), (300, 500), (97, 61), (1000, 250), (512, 512))
"""Width and height: landscape, portrait, smaller than a tower's square, panorama, square."""


def golden_pictures() -> list[Image.Image]:
    """RGB pictures with smooth shades, hard edges and grain; the same on every machine."""
    return [_picture(index, width, height) for index, (width, height) in enumerate(_SIZES)]


def _picture(seed: int, width: int, height: int) -> Image.Image:
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    picture = coarse.resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(6):
        left, top = random.uniform(0, 0.7, 2) * (width, height)
        box = (left, top, left + width * 0.25, top + height * 0.25)
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        (draw.ellipse if random.random() < 0.5 else draw.rectangle)(box, fill=colour)
    grain = random.integers(-20, 21, (height, width, 3), dtype=np.int16)
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))
