"""Pictures by how they look: which of those seen so far are copies of one. The one door to usearch."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from usearch.compiled import MetricKind, ScalarKind
from usearch.index import Index

from sightline.likeness import SHAPE_TOLERANCE
from sightline.look import HASH_BITS, Look

COMPARED = 20_000
"""Pictures that each one is compared with, which takes a millisecond; those beyond are in a graph."""
_NEAREST = 32
"""Copies that are looked for of one picture. A picture with more is found by what it shares with them."""
_EXPANSION = 256
"""Candidates of a search: of 100,000 random hashes it finds 99.9 % of the copies, and half as many 97 %."""
_WORDS = HASH_BITS // 64
_ROWS_AT_ONCE = 32

_Hashes = NDArray[np.uint8]
"""Shape (n, HASH_BITS / 8)."""


class LookIndex:
    """Perceptual hashes under Hamming distance. Not to be used from two threads.

    No copy is missed among the first `compared` pictures; of those beyond, some may be.
    """

    def __init__(self, most_bits: int, compared: int = COMPARED) -> None:
        """Pictures are copies with at most `most_bits` bits turned."""
        self._most_bits = most_bits
        self._room = compared
        self._compared = _Compared(compared)
        self._graph = _Graph(compared)
        self._ids: list[str] = []
        self._shapes: list[float] = []

    def add(self, ids: Sequence[str], looks: Sequence[Look]) -> None:
        """Take pictures in."""
        if not ids:
            return
        hashes = _hashes(looks)
        room = max(self._room - len(self._ids), 0)
        self._compared.add(hashes[:room])
        self._graph.add(hashes[room:])
        self._ids += ids
        self._shapes += [look.shape for look in looks]

    def copies(self, looks: Sequence[Look]) -> Iterator[Sequence[str]]:
        """For each look, the ids of the nearest pictures taken in that are copies of it.

        They are at most 32 of those that are compared, and 32 of those in the graph.
        """
        if not looks:
            return
        hashes = _hashes(looks)
        compared = self._compared.nearest(hashes, self._most_bits)
        beyond = self._graph.nearest(hashes, self._most_bits)
        for look, *places in zip(looks, compared, beyond, strict=True):
            near = np.concatenate(places).tolist()
            yield [self._ids[place] for place in near if _same_shape(look.shape, self._shapes[place])]


class _Compared:
    """The first pictures, as 64-bit words; places count from 0."""

    def __init__(self, room: int) -> None:
        self._words = np.empty((_WORDS, room), np.uint64)
        self._count = 0

    def add(self, hashes: _Hashes) -> None:
        """Take in hashes that there is room for."""
        end = self._count + len(hashes)
        self._words[:, self._count : end] = hashes.view(np.uint64).T
        self._count = end

    def nearest(self, hashes: _Hashes, most_bits: int) -> Iterator[NDArray[np.int64]]:
        """For each hash, the places of the nearest within `most_bits`; of equals, those that came first."""
        known = self._words[:, : self._count]
        asked = hashes.view(np.uint64)
        for start in range(0, len(asked), _ROWS_AT_ONCE):
            rows = asked[start : start + _ROWS_AT_ONCE]
            turned = np.zeros((len(rows), self._count), np.uint16)
            for word in range(_WORDS):
                turned += np.bitwise_count(known[word] ^ rows[:, word, None])
            for row in turned:
                near = np.flatnonzero(row <= most_bits)
                yield near[np.argsort(row[near], kind="stable")[:_NEAREST]]


class _Graph:
    """Pictures beyond the first, in a graph (HNSW); places count from `first`."""

    def __init__(self, first: int) -> None:
        self._index = Index(
            ndim=HASH_BITS,
            metric=MetricKind.Hamming,
            dtype=ScalarKind.B1,
            expansion_add=_EXPANSION,
            expansion_search=_EXPANSION,
        )
        self._first = first

    def add(self, hashes: _Hashes) -> None:
        """Take in hashes."""
        if not len(hashes):
            return
        places = np.arange(len(self._index), len(self._index) + len(hashes), dtype=np.uint64)
        self._index.add(places, hashes)

    def nearest(self, hashes: _Hashes, most_bits: int) -> Iterator[NDArray[np.int64]]:
        """For each hash, the places of the nearest within `most_bits` that the graph finds."""
        if not len(self._index):
            yield from (np.empty(0, np.int64) for _ in hashes)
            return
        found = self._index.search(hashes, _NEAREST)
        # Of one hash usearch gives a row, of more a table with what there is of each.
        keys, distances = np.atleast_2d(found.keys), np.atleast_2d(found.distances)
        for places, turned in zip(keys, distances, strict=True):
            yield places[turned <= most_bits].astype(np.int64) + self._first


def _hashes(looks: Sequence[Look]) -> _Hashes:
    return np.ascontiguousarray(np.stack([look.bits for look in looks]))


def _same_shape(one: float, other: float) -> bool:
    return max(one, other) <= SHAPE_TOLERANCE * min(one, other)
