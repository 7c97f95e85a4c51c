"""When two pictures are duplicates of one another."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.payload import Payload

PERCEPTUAL_BITS = 68
"""Of 256. Copies that were scaled or compressed stay below 20, those cropped by 5 % below 70, and the nearest
of 20,000 pairs of other pictures of the same shape were at 82 (docs/quality.md)."""
SEMANTIC_COSINE = 0.96
SHAPE_TOLERANCE = 1.1
"""The larger ratio of width to height over the smaller one: 5 % taken off one side changes it by 1.05."""


class DuplicateKind(StrEnum):
    """How two files or pictures are alike: in their bytes, as copies that look the same, or in what they
    show, by their vectors. Files of the same bytes are one point with several sources."""

    EXACT = "exact"
    PERCEPTUAL = "perceptual"
    SEMANTIC = "semantic"


Alike: TypeAlias = Literal["perceptual", "semantic"]
"""The kinds of duplicates that are points of their own."""


@dataclass(frozen=True)
class Look:
    """How a picture looks: the bits of its perceptual hash, uint8 of shape (32,), and width over height."""

    bits: NDArray[np.uint8]
    shape: float


def look_of(payload: Payload) -> Look | None:
    """The look of a stored picture, None for one that was indexed without a perceptual hash."""
    if payload.perceptual_hash is None:
        return None
    bits = np.frombuffer(bytes.fromhex(payload.perceptual_hash), dtype=np.uint8)
    return Look(bits, payload.width / payload.height)
