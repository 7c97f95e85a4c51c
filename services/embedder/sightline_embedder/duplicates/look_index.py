"""Pictures by how they look: which of those seen so far are copies of one. The one door to usearch."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from usearch.compiled import MetricKind, ScalarKind
from usearch.index import Index

from sightline.likeness import SHAPE_TOLERANCE
from sightline.look import HASH_BITS, Look

_NEAREST = 32
"""Copies that are looked for of one picture. A picture with more is found by what it shares with them."""
_EXPANSION = 256
"""Candidates of a search: of 100,000 random hashes it finds 99.9 % of the copies, and half as many 97 %."""


class LookIndex:
    """A graph of perceptual hashes under Hamming distance (HNSW). Not to be used from two threads."""

    def __init__(self, most_bits: int) -> None:
        """Pictures are copies with at most `most_bits` bits turned."""
        self._index = Index(
            ndim=HASH_BITS,
            metric=MetricKind.Hamming,
            dtype=ScalarKind.B1,
            expansion_add=_EXPANSION,
            expansion_search=_EXPANSION,
        )
        self._most_bits = most_bits
        self._ids: list[str] = []
        self._shapes: list[float] = []

    def add(self, ids: Sequence[str], looks: Sequence[Look]) -> None:
        """Take pictures in."""
        if not ids:
            return
        places = np.arange(len(self._ids), len(self._ids) + len(ids), dtype=np.uint64)
        self._index.add(places, np.stack([look.bits for look in looks]))
        self._ids += ids
        self._shapes += [look.shape for look in looks]

    def copies(self, looks: Sequence[Look]) -> Iterator[Sequence[str]]:
        """For each look, the ids of the nearest pictures taken in that are copies of it, at most 32."""
        if not looks or not self._ids:
            yield from ([] for _ in looks)
            return
        found = self._index.search(np.stack([look.bits for look in looks]), _NEAREST)
        rows = (
            zip(found.keys, found.distances, strict=True)
            if len(looks) > 1
            else [(found.keys, found.distances)]
        )
        for look, (places, distances) in zip(looks, rows, strict=True):
            yield self._accepted(look, np.atleast_1d(places), np.atleast_1d(distances))

    def _accepted(
        self, look: Look, places: NDArray[np.uint64], distances: NDArray[np.float32]
    ) -> Sequence[str]:
        near = places[distances <= self._most_bits].tolist()
        return [self._ids[place] for place in near if _same_shape(look.shape, self._shapes[place])]


def _same_shape(one: float, other: float) -> bool:
    return max(one, other) <= SHAPE_TOLERANCE * min(one, other)
