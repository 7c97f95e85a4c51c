"""From the parts of a query to the one vector that is searched for, and what each part has in a hit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.errors import QueryCancelsOut
from sightline.index import StoredPoint
from sightline_api.search.models import ImageBytesPart, ImageIdPart, Part, QueryWarning, Strategy, TextPart
from sightline_api.search.picture_vectors import PartVector, PictureVectors
from sightline_api.search.text_vectors import TextInLanguage, TextVectors

CANCELS_BELOW = 1e-3
"""Length of the weighted sum, as a share of the summed weights, below which nothing is left."""


@dataclass(frozen=True)
class Aim:
    """What a hit may be near to: a unit vector, float32, shape (dimension,), of words or of pictures."""

    vector: NDArray[np.float32]
    is_text: bool


@dataclass(frozen=True)
class EncodedQuery:
    """A query of n parts: their unit vectors (float32, shape (n, dimension)) and weights (shape (n,)).

    With the strategy sum, `aims` is one: the weighted sum of the parts over its length `norm`. With
    best_score it is each part whose weight is above 0. `image_ids` are the stored pictures used.
    """

    strategy: Strategy
    aims: tuple[Aim, ...]
    norm: float
    parts: NDArray[np.float32]
    weights: NDArray[np.float32]
    image_ids: tuple[str, ...]
    warnings: tuple[QueryWarning, ...]

    @property
    def positives(self) -> NDArray[np.float32]:
        """The parts to be near to, shape (p, dimension)."""
        near: NDArray[np.float32] = self.parts[self.weights > 0]
        return near

    @property
    def negatives(self) -> NDArray[np.float32]:
        """The parts to stay away from, shape (q, dimension)."""
        far: NDArray[np.float32] = self.parts[self.weights < 0]
        return far

    def part_scores(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine of a unit vector, shape (dimension,), with each part: shape (n,)."""
        scores: NDArray[np.float32] = self.parts @ vector
        return scores

    def contributions(self, part_scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each part adds to the score of a hit, shape (n,); together they are the score.

        In a sum w·s / ‖Σ wv‖; of a best score all of it comes from the part that decides.
        """
        if self.strategy == "sum":
            added: NDArray[np.float32] = part_scores * self.weights / np.float32(self.norm)
            return added
        near = np.where(self.weights > 0, part_scores, -np.inf)
        far = np.where(self.weights < 0, part_scores, -np.inf)
        decided = np.zeros_like(part_scores)
        if near.max() > far.max():
            decided[near.argmax()] = near.max()
        else:
            decided[far.argmax()] = -far.max()
        return decided


class QueryEncoder:
    """Encodes composed queries. Safe to use from several threads."""

    def __init__(self, texts: TextVectors, pictures: PictureVectors) -> None:
        self._texts = texts
        self._pictures = pictures

    def encode(self, collection: str, parts: Sequence[Part], strategy: Strategy = "sum") -> EncodedQuery:
        """The vectors of the parts, and what they aim at together; a version of a collection will do.

        Raises QueryCancelsOut, ImageNotFound, NotFound (a box of a picture that cannot be read any more) or
        BadPicture, or ApiError (429) if too many texts wait.
        """
        stored = self._pictures.stored_points(
            collection, [part for part in parts if isinstance(part, ImageIdPart)]
        )
        texts = self._texts.of([_in_language(part) for part in parts if isinstance(part, TextPart)])
        found = [self._part_vector(collection, part, texts, stored) for part in parts]
        vectors = np.stack([one.vector for one in found])
        weights = np.array([part.weight for part in parts], dtype=np.float32)
        aims, norm = (
            _each(parts, vectors, weights) if strategy == "best_score" else _sum(parts, vectors, weights)
        )
        return EncodedQuery(
            strategy=strategy,
            aims=aims,
            norm=norm,
            parts=vectors,
            weights=weights,
            image_ids=tuple(stored),
            warnings=tuple(self._warnings(parts, found)),
        )

    def _part_vector(
        self,
        collection: str,
        part: Part,
        texts: Mapping[TextInLanguage, NDArray[np.float32]],
        stored: Mapping[str, StoredPoint],
    ) -> PartVector:
        match part:
            case TextPart():
                return PartVector(texts[_in_language(part)])
            case ImageIdPart():
                return self._pictures.of_stored(collection, part, stored[str(part.image_id)])
            case ImageBytesPart():
                return self._pictures.of_bytes(part.image_base64, part.box)

    def _warnings(self, parts: Sequence[Part], found: Sequence[PartVector]) -> Iterator[QueryWarning]:
        for number, (part, vector) in enumerate(zip(parts, found, strict=True)):
            if isinstance(part, TextPart):
                yield from self._text_warnings(number, part)
            if vector.from_thumbnail:
                detail = (
                    f"The original of the picture in part {number} cannot be read any more. Its box was cut "
                    f"out of the thumbnail, which shows less."
                )
                yield QueryWarning(code="box_from_thumbnail", detail=detail)

    def _text_warnings(self, number: int, part: TextPart) -> Iterator[QueryWarning]:
        kept = self._texts.kept_tokens(_in_language(part))
        if kept is not None:
            detail = f"Only the first {kept} tokens of part {number} count: '{part.text[:40]}…'."
            yield QueryWarning(code="text_truncated", detail=detail)
        if part.lang is not None and not self._texts.is_multilingual():
            detail = f"The model has one text tower for all languages: lang of part {number} has no effect."
            yield QueryWarning(code="lang_without_effect", detail=detail)


def _in_language(part: TextPart) -> TextInLanguage:
    return TextInLanguage(part.text, part.lang)


def _sum(
    parts: Sequence[Part], vectors: NDArray[np.float32], weights: NDArray[np.float32]
) -> tuple[tuple[Aim, ...], float]:
    total = weights @ vectors
    norm = float(np.linalg.norm(total))
    if norm < CANCELS_BELOW * float(np.abs(weights).sum()) or norm == 0.0:
        raise QueryCancelsOut
    shares = [abs(part.weight) * (1 if isinstance(part, TextPart) else -1) for part in parts]
    return (Aim((total / norm).astype(np.float32), is_text=sum(shares) >= 0),), norm


def _each(
    parts: Sequence[Part], vectors: NDArray[np.float32], weights: NDArray[np.float32]
) -> tuple[tuple[Aim, ...], float]:
    aims = [
        Aim(vector, is_text=isinstance(part, TextPart))
        for part, vector, weight in zip(parts, vectors, weights, strict=True)
        if weight > 0
    ]
    return tuple(aims), 1.0
