"""Hits that are duplicates of better ones, hidden behind them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.index import ScoredPoint, SearchQuery
from sightline.likeness import PERCEPTUAL_BITS, SEMANTIC_COSINE, SHAPE_TOLERANCE, Alike
from sightline.look import look_of

_HITS_FOR_ONE = 4
"""Hits looked at, at first, for each that is shown."""

Search: TypeAlias = Callable[[SearchQuery], Sequence[ScoredPoint]]


@dataclass(frozen=True)
class CollapsedHit:
    """A hit, and how many duplicates of it stand further behind."""

    point: ScoredPoint
    hidden: int = 0


def collapsed_page(search: Search, wanted: SearchQuery, kind: Alike, *, most: int) -> Sequence[CollapsedHit]:
    """The hits from `wanted.offset` on, up to `wanted.limit`, as if duplicates of better ones were not there.

    A page depends on all that is before it, so that the search begins at the first hit, and reaches `most`.
    """
    end = wanted.offset + wanted.limit
    reached = min(most, end * _HITS_FOR_ONE)
    while True:
        points = search(replace(wanted, offset=0, limit=reached))
        shown = collapse(points, kind)
        if len(shown) >= end or len(points) < reached or reached == most:
            return shown[wanted.offset : end]
        reached = most


def collapse(points: Sequence[ScoredPoint], kind: Alike) -> Sequence[CollapsedHit]:
    """Keep the best of each group of duplicates; `points` come with vectors, best first.

    As with a scan, those are one group that duplicates join to one another, directly or by way of others.
    """
    alike = _alike_by_vector(points) if kind == "semantic" else _alike_by_look(points)
    is_free = np.ones(len(points), dtype=bool)
    shown: list[CollapsedHit] = []
    for place, point in enumerate(points):
        if is_free[place]:
            shown.append(CollapsedHit(point, _take_group(place, alike, is_free) - 1))
    return shown


def _take_group(place: int, alike: "_DuplicatesOf", is_free: NDArray[np.bool_]) -> int:
    """Take the group of a hit out of those that are free; how many it has."""
    is_free[place] = False
    size, reached = 0, [place]
    while reached:
        size += 1
        joined = alike(reached.pop()) & is_free
        is_free &= ~joined
        reached += np.flatnonzero(joined).tolist()
    return size


_DuplicatesOf: TypeAlias = Callable[[int], NDArray[np.bool_]]
"""From the place of a hit to which of n hits are its duplicates, shape (n,)."""


def _alike_by_vector(points: Sequence[ScoredPoint]) -> _DuplicatesOf:
    vectors = np.array([point.vector for point in points], dtype=np.float32)
    return lambda place: vectors @ vectors[place] >= SEMANTIC_COSINE


def _alike_by_look(points: Sequence[ScoredPoint]) -> _DuplicatesOf:
    looks = [look_of(point.payload) for point in points]
    has_look = np.array([look is not None for look in looks], dtype=bool)
    size = next((len(look.bits) for look in looks if look is not None), 0)
    bits = np.array([np.zeros(size, np.uint8) if look is None else look.bits for look in looks], np.uint8)
    shapes = np.array([1.0 if look is None else look.shape for look in looks])

    def alike(place: int) -> NDArray[np.bool_]:
        turned = np.bitwise_count(bits ^ bits[place]).sum(axis=1)
        ratios = shapes / shapes[place]
        same_shape = (ratios <= SHAPE_TOLERANCE) & (ratios >= 1 / SHAPE_TOLERANCE)
        found: NDArray[np.bool_] = has_look & has_look[place] & same_shape & (turned <= PERCEPTUAL_BITS)
        return found

    return alike
