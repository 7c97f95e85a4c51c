"""What a search orders points by, as messages carry it; vectors are raw bytes (`vector_bytes`)."""

from typing import TypeAlias

import msgspec

CANDIDATES = 200
"""Of so many nearest points those are picked that differ from one another; there are no further pages."""


class Nearest(msgspec.Struct, frozen=True, tag=True):
    """By cosine with a vector."""

    vector: bytes


class Diverse(msgspec.Struct, frozen=True, tag=True):
    """By cosine with a vector, less the likeness to what stands before: maximal marginal relevance.

    Carbonell and Goldstein, SIGIR 1998. `diversity` from 0, as Nearest, to 1, likeness alone. Scores are
    cosines with the vector all the same.
    """

    vector: bytes
    diversity: float


class BestScore(msgspec.Struct, frozen=True, tag=True):
    """By the cosine with the nearest positive vector; where a negative one is nearer, behind all others, the
    nearer to it the further. Scores are the cosine with the nearest positive vector, or minus that with the
    nearest negative one."""

    positives: tuple[bytes, ...]
    negatives: tuple[bytes, ...]


Ranking: TypeAlias = Nearest | Diverse | BestScore


def best_score_of(reported: float) -> float:
    """A BestScore from what engines report: (x / (1 + |x|) + 1) / 2 for a cosine x, or minus that."""
    half = 2 * abs(reported) - 1
    cosine = half / (1 - abs(half))
    return cosine if reported >= 0 else -cosine
