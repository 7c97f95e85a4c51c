"""Encoders: pictures and texts in, unit vectors of one space out."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.encoder.artifact import Manifest

Views: TypeAlias = NDArray[np.uint8]
"""Pictures ready for the image tower: uint8, shape (n, views, height, width, 3), RGB, 0 to 255."""

Vectors: TypeAlias = NDArray[np.float32]
"""Embeddings: float32, shape (n, dimension), each row of length 1."""


class TextEncoder(Protocol):
    """A text tower, loaded and ready. Safe to call from several threads."""

    @property
    def context_tokens(self) -> int:
        """How many tokens of a text it sees, its special ones included."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts; those longer than the tower's context are cut at its end."""

    def exceeds_context(self, text: str) -> bool:
        """Whether the tower sees only the beginning of `text`."""


class Encoder(TextEncoder, Protocol):
    """One model, loaded and ready. Safe to call from several threads."""

    @property
    def manifest(self) -> Manifest:
        """What the model is; its `space` decides which vectors it may be compared with."""

    @property
    def numerics(self) -> str:
        """Precision and runtime in use, as `openvino-bf16`: what moves a vector by a hair."""

    def encode_views(self, views: Views) -> Vectors:
        """Encode prepared pictures; an empty batch gives shape (0, dimension)."""

    def encode_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        """Prepare and encode upright sRGB pictures."""

    @property
    def multilingual(self) -> TextEncoder | None:
        """The text tower for languages other than English, if the model has one beside its own."""
