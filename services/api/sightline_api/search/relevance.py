"""How sure one can be of a query's hits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.encoder.calibration import Calibration, ExtremeValueCurve, share_of_words
from sightline.index import ScoredPoint
from sightline_api.search.backgrounds import Backgrounds
from sightline_api.search.query import Aim, EncodedQuery

STANDS_OUT = 0.5
"""Relevance from which a hit is more likely what was asked for than not."""


class Relevance:
    """Reads scores against their backgrounds. Safe to use from several threads."""

    def __init__(
        self, calibration: Calibration | None, vocabulary: NDArray[np.float32], backgrounds: Backgrounds
    ) -> None:
        """`vocabulary` are the vectors of ordinary words, shape (w, dimension).

        Without a calibration, or for words without a vocabulary, the figures are rough.
        """
        self._calibration = calibration
        self._vocabulary = vocabulary
        self._backgrounds = backgrounds

    def of(
        self, collection: str, query: EncodedQuery, points: Sequence[ScoredPoint], uid: str = ""
    ) -> list[float]:
        """The relevance of each point, from 0 to 1, to what the query aims at; to the likeliest, if that is
        several things. Points come with their vectors. `uid`: see Backgrounds."""
        if not points:
            return []
        vectors = np.stack([point.vector for point in points if point.vector is not None])
        relevance = np.max([self._to(collection, uid, aim, vectors) for aim in query.aims], axis=0)
        found: list[float] = relevance.tolist()
        return found

    def _to(self, collection: str, uid: str, aim: Aim, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        background = self._backgrounds.of(collection, aim.vector, uid)
        scores = vectors @ aim.vector
        if self._calibration is None or (aim.is_text and not len(self._vocabulary)):
            return ExtremeValueCurve().relevance(scores, background)
        if aim.is_text:
            shares = share_of_words(vectors @ self._vocabulary.T, scores)
            return self._calibration.text.relevance(shares, background)
        return self._calibration.picture.relevance(scores, background)
