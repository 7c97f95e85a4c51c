"""From a cosine to a relevance: how sure one can be that a hit is what the query asked for.

A cosine alone does not say it: what unrelated pictures reach differs from model to model, from query to query
and from picture to picture. So it is read against backgrounds: the scores of a vocabulary of ordinary words
with the picture, some of which may fit it better than the query does; and the query's own scores over a
random sample of the collection. A curve that was fitted for the model on captioned pictures makes a
probability of where a hit stands in them (docs/quality.md).
"""

from dataclasses import dataclass
from math import log, sqrt
from typing import Annotated, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Scores: TypeAlias = NDArray[np.float32]
"""Cosines, shape (n,)."""

_ONE_SIGMA_BELOW = 15.87
"""The percentile of a normal distribution that lies one standard deviation below its median."""
_HIGHEST_SHARE = 0.02
_TRUST_AFTER = 20
"""A sample of this many points counts as much as what is typical of the model."""


@dataclass(frozen=True)
class Background:
    """A query's scores over `sampled` random pictures of a collection of `points`.

    `median` and `spread`, from the median down to where a normal distribution has one standard deviation,
    do not move when some of the pictures are what was asked for: those lie above.
    """

    median: float
    spread: float
    sampled: int
    points: int

    @classmethod
    def of(cls, scores: Scores, points: int) -> Self:
        """The background that some random scores show."""
        if not len(scores):
            return cls(0.0, 0.0, 0, points)
        median, low = np.percentile(scores, (50, _ONE_SIGMA_BELOW))
        return cls(float(median), float(median - low), len(scores), points)


def share_of_words(words: Scores, scores: Scores) -> Scores:
    """The share of words that fit a picture as well as the query does, shape (n,), over 0.

    `words` are their scores with each of n pictures, shape (n, w), `scores` the query's, shape (n,). One word
    is added, so that a query that fits better than all has a share too.
    """
    as_well = (words >= scores[:, np.newaxis]).sum(axis=1)
    shares: Scores = ((as_well + 1) / (words.shape[1] + 1)).astype(np.float32)
    return shares


def log_share(shares: Scores) -> Scores:
    """Logarithms of shares, of those above 2 % as of 2 %."""
    logarithms: Scores = np.log(np.minimum(shares, np.float32(_HIGHEST_SHARE)))
    return logarithms


class TextCurve(BaseModel):
    """A logistic curve for queries that are words, over the share p of words that fit a picture as well.

    1 / (1 + exp(-(intercept + log_share · ln min(p, 0.02) + median · m))); m is the median of the query's
    background: words that lie near to much of a collection need not stand out as far. Where more than two
    words in a hundred fit as well, it does not matter how many do.
    """

    model_config = ConfigDict(frozen=True)

    intercept: float
    log_share: Annotated[float, Field(lt=0)]
    median: float
    typical_median: float

    def relevance(self, shares: Scores, background: Background) -> Scores:
        """What each hit's `share_of_words` means, from 0 to 1, shape (n,)."""
        median = _trusted(background.median, self.typical_median, background)
        return _logistic(self.intercept + self.log_share * log_share(shares) + self.median * median)


class PictureCurve(BaseModel):
    """A logistic curve for queries that are pictures, over the score and the query's background.

    1 / (1 + exp(-(intercept + score · s + median · m + spread · d))) for the score s, the background's
    median m and its spread d.
    """

    model_config = ConfigDict(frozen=True)

    intercept: float
    score: Annotated[float, Field(gt=0)]
    median: float
    spread: float
    typical_median: float
    typical_spread: float

    def relevance(self, scores: Scores, background: Background) -> Scores:
        """What each score means, from 0 to 1, shape (n,); it grows with the score."""
        median = _trusted(background.median, self.typical_median, background)
        spread = _trusted(background.spread, self.typical_spread, background)
        return _logistic(self.intercept + self.score * scores + self.median * median + self.spread * spread)


class Calibration(BaseModel):
    """The curves of a model, and how many captioned pictures they were fitted on."""

    model_config = ConfigDict(frozen=True)

    text: Annotated[TextCurve, Field(description="for queries that are mostly words")]
    picture: Annotated[PictureCurve, Field(description="for queries that are mostly pictures")]
    pictures: int


class ExtremeValueCurve:
    """For a model without calibration: how far a score stands out from what chance would put at the top.

    The best of N scores of a normal distribution lies about √(2 ln N) standard deviations above its middle
    (Gumbel 1958, Statistics of Extremes). A score there has the relevance 0.38, and one a standard deviation
    beyond it 0.82. It cannot tell what a collection is full of from what it lacks.
    """

    _BEYOND = 0.25
    _STEEPNESS = 2.0

    def relevance(self, scores: Scores, background: Background) -> Scores:
        """What each score means, from 0 to 1, shape (n,); it grows with the score."""
        chance = sqrt(2 * log(max(background.points, 2)))
        spread = max(background.spread, 1e-6)
        beyond = (scores - background.median) / spread - chance
        return _logistic(self._STEEPNESS * (beyond - self._BEYOND))


def _trusted(measured: float, typical: float, background: Background) -> float:
    """What was measured, or what is typical where that was on few pictures."""
    trust = background.sampled / (background.sampled + _TRUST_AFTER)
    return trust * measured + (1 - trust) * typical


def _logistic(logits: Scores) -> Scores:
    probability = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    return probability.astype(np.float32)
