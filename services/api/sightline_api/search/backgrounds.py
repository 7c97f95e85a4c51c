"""Random samples of collections, which queries are held against."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from sightline.encoder.calibration import Background
from sightline.index import VectorIndex

SAMPLE = 1_000
"""Points; their median is known to a thirtieth of a standard deviation."""
_KEPT_S = 300.0
_SMALL_KEPT_S = 5.0
"""A collection that is smaller than a sample may be growing fast."""
MOST = 32
"""Samples; one has 2 to 3 MB. Who searches more collections in turn waits for new ones."""


@dataclass(frozen=True)
class _Sample:
    vectors: NDArray[np.float32]
    points: int
    until: float


class Backgrounds:
    """Keeps samples of the collections searched last, and takes them anew in time, one sample at a time.

    Safe to use from several threads.
    """

    def __init__(self, index: VectorIndex) -> None:
        self._index = index
        self._samples: OrderedDict[tuple[str, str], _Sample] = OrderedDict()
        self._lock = Lock()
        """For `_samples`, and never for long."""
        self._taking = Lock()

    def of(self, collection: str, vector: NDArray[np.float32], uid: str = "") -> Background:
        """The background of a query, whose unit vector is float32 of shape (dimension,).

        `uid` tells the collection from another that had its name before; none of that one's samples is used.
        """
        sample = self._sample((collection, uid), len(vector))
        return Background.of(sample.vectors @ vector, sample.points)

    def _sample(self, key: tuple[str, str], dimension: int) -> _Sample:
        kept = self._usable(key, dimension)
        if kept is not None and kept.until > monotonic():
            return kept
        # While one query takes a new sample, others go on with the old one.
        if self._taking.acquire(blocking=kept is None):
            try:
                # Whoever had the turn before may have taken this sample.
                kept = self._usable(key, dimension)
                return kept if kept is not None and kept.until > monotonic() else self._taken(key)
            finally:
                self._taking.release()
        assert kept is not None
        return kept

    def _usable(self, key: tuple[str, str], dimension: int) -> _Sample | None:
        """The sample that is kept of a collection, however old, if its vectors have this dimension."""
        with self._lock:
            kept = self._samples.get(key)
            if kept is not None:
                self._samples.move_to_end(key)
            return kept if kept is not None and kept.vectors.shape[1] == dimension else None

    def _taken(self, key: tuple[str, str]) -> _Sample:
        collection, _ = key
        vectors = self._index.sample(collection, SAMPLE)
        whole = len(vectors) < SAMPLE
        sample = _Sample(
            vectors,
            points=len(vectors) if whole else self._index.count(collection),
            until=monotonic() + (_SMALL_KEPT_S if whole else _KEPT_S),
        )
        with self._lock:
            self._samples[key] = sample
            self._samples.move_to_end(key)
            if len(self._samples) > MOST:
                self._samples.popitem(last=False)
        return sample
