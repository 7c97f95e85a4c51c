"""When two pictures are duplicates of one another."""

from enum import StrEnum
from typing import Literal, TypeAlias

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
