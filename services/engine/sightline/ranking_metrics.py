"""Figures of one ranking from the grades of its hits, best hit first; 0 is what was not wanted."""

from collections.abc import Sequence
from math import log2


def recall(grades: Sequence[float], ideal: Sequence[float], k: int) -> float:
    """The share of what was to be had that is among the first k hits, of no more than k."""
    return sum(grade > 0 for grade in grades[:k]) / min(len(ideal), k)


def reciprocal_rank(grades: Sequence[float]) -> float:
    """1 over the place of the first hit that was wanted; 0 without one."""
    return next((1 / place for place, grade in enumerate(grades, start=1) if grade > 0), 0.0)


def ndcg(grades: Sequence[float], ideal: Sequence[float]) -> float:
    """Discounted cumulative gain over that of the best order there could be, `ideal`.

    Gains are 2^grade - 1 and discounts log2 of the place + 1: Burges et al., ICML 2005, after Järvelin and
    Kekäläinen, TOIS 2002.
    """
    best = _dcg(ideal)
    return _dcg(grades) / best if best else 0.0


def _dcg(grades: Sequence[float]) -> float:
    return sum((2**grade - 1) / log2(place + 1) for place, grade in enumerate(grades, start=1))
