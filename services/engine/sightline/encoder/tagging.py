"""Labels that a picture shows, out of a list, by the calibration of the model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.encoder import Encoder, Vectors
from sightline.encoder.artifact import Artifact
from sightline.encoder.calibration import Background, TextCurve, share_of_words
from sightline.encoder.prompts import query_texts
from sightline.errors import ModelError

PROBABLE = 0.5
"""The relevance from which a label is more likely there than not."""
FITTING = 0.3
"""The least probability among all labels: of a thing, those that fit it hardly worse than the best."""
_NO_BACKGROUND = Background(median=0.0, spread=0.0, sampled=0, points=0)
"""A picture that comes in has no collection to be compared with: what is typical of the model counts."""


class Tagger:
    """Tags pictures by their vectors. Safe to use from several threads."""

    def __init__(
        self,
        labels: Sequence[str],
        vectors: NDArray[np.float32],
        vocabulary: NDArray[np.float32],
        curve: TextCurve,
        logit_scale: float,
    ) -> None:
        """`vectors` are those of the labels, shape (n, dimension), `vocabulary` those of ordinary words."""
        self._labels = np.array(labels)
        self._vectors = vectors
        self._vocabulary = vocabulary
        self._curve = curve
        self._logit_scale = logit_scale

    @classmethod
    def of(cls, labels: Sequence[str], encoder: Encoder, artifact: Artifact) -> "Tagger":
        """The tagger of a model; raises ModelError if the model was not calibrated."""
        vocabulary = artifact.vocabulary()
        calibration = artifact.manifest.calibration
        if calibration is None or not len(vocabulary):
            raise ModelError(
                f"SIGHTLINE_AUTO_TAGS needs to know what scores mean for {artifact.manifest.name}: calibrate "
                f"it with `sightline model calibrate`, or leave the setting out."
            )
        return cls(
            labels,
            query_texts(encoder).encode_texts(labels),
            vocabulary,
            calibration.text,
            artifact.manifest.logit_scale,
        )

    def tags(self, pictures: Vectors) -> list[tuple[str, ...]]:
        """For each of n pictures, shape (n, dimension), the labels it shows, the likeliest first.

        A label has to be there at all, which its relevance says, and to fit about as well as the best one:
        several labels may be relevant to a thing that only one of them names.
        """
        scores = pictures @ self._vectors.T
        shown = (self._relevance(pictures, scores) >= PROBABLE) & (self._odds(scores) >= FITTING)
        likeliest_first = np.argsort(-scores, axis=1, kind="stable")
        return [
            tuple(self._labels[order[row[order]]].tolist())
            for row, order in zip(shown, likeliest_first, strict=True)
        ]

    def _relevance(self, pictures: Vectors, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        words = pictures @ self._vocabulary.T
        columns = [
            self._curve.relevance(share_of_words(words, column), _NO_BACKGROUND) for column in scores.T
        ]
        return np.stack(columns, axis=1)

    def _odds(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probability of each label among all, a softmax, shape (n, labels)."""
        logits = self._logit_scale * scores
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float32] = odds / odds.sum(axis=1, keepdims=True)
        return probabilities
