"""A model as its makers run it: what an artifact is exported from and measured against."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from sightline.encoder import Vectors
from sightline.encoder.artifact import Preprocessing, TextHandling
from sightline.encoder.calibration import Calibration
from sightline.settings import Precision


@dataclass(frozen=True)
class TextReference:
    """A text tower in torch float32.

    `tower` maps int64 tensors named in `inputs`, each (n, tokens), to unit vectors; `encode` is the
    original's own way from strings to them, its prompt included.
    """

    handling: TextHandling
    tokenizer_json: str
    tower: nn.Module
    inputs: tuple[str, ...]
    encode: Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class Reference:
    """A loaded model in torch float32.

    `image_tower` maps uint8 views (n, views, size, size, 3) to unit vectors. `encode_images` is the
    original's own way from pictures to unit vectors, and `pixel_values` its processor's normalised pixels
    (n, 3, size, size) where it has a processor. `digest` is the SHA-256 of all that
    decides what the vectors mean beside preprocessing, tokenizer and prompt: the weights. `fp16_weights`:
    whether the towers may be stored in half precision. `logit_scale` is what the model was trained to
    multiply cosines with; `calibration` what is known of a model that is always the same.
    """

    name: str
    revision: str
    family: str
    license: str
    source: str
    text_source: str | None
    digest: str
    preprocessing: Preprocessing
    texts: TextReference
    image_tower: nn.Module
    encode_images: Callable[[Sequence[Image.Image]], Vectors]
    pixel_values: Callable[[Sequence[Image.Image]], NDArray[np.float32]] | None
    precisions: tuple[Precision, ...]
    default_precision: Precision
    fp16_weights: bool = True
    logit_scale: float = 100.0
    calibration: Calibration | None = None


class NormalisedPixels(nn.Module):
    """uint8 views (n, views, size, size, 3) to normalised float32 (n * views, 3, size, size)."""

    mean: Tensor
    std: Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1) * 255)

    def forward(self, views: Tensor) -> Tensor:
        """Normalise."""
        pixels = views.flatten(0, 1).permute(0, 3, 1, 2).float()
        return (pixels - self.mean) / self.std


def digest_of(states: Iterable[dict[str, Tensor]]) -> str:
    """SHA-256 of tensors by name, as float32; independent of how they are stored."""
    digest = hashlib.sha256()
    for state in states:
        for name in sorted(state):
            digest.update(f"{name}{tuple(state[name].shape)}".encode())
            digest.update(state[name].detach().float().contiguous().numpy().data)
    return digest.hexdigest()
