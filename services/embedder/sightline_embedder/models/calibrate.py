"""Fits the curves that turn a model's cosines into relevance, on captioned pictures.

Two kinds of best hits are told apart by logistic regression on where they stand in their backgrounds: right
ones, which have the caption that was asked for (of a picture: one like its own), and those that come first
when what was asked for is not there. For these the pictures whose captions are nearest to the query's are
taken out of the collection, so nobody has to write down queries for absent things. Both kinds weigh the
same in the fit, so 0.5 is where a best hit is as likely to be of one kind as of the other.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from sightline.encoder import Vectors
from sightline.encoder.artifact import open_artifact, write_manifest
from sightline.encoder.calibration import (
    Background,
    Calibration,
    PictureCurve,
    TextCurve,
    log_share,
    share_of_words,
)
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.encoder.prompts import query_texts
from sightline.errors import BadPicture, ModelError
from sightline.pictures import PictureLimits, open_picture
from sightline_embedder.models.captioned import captioned_files

Progress = Callable[[str], None]

MIN_RIGHT = 20
"""Right best hits that a curve needs."""
_COLLECTIONS = 20
_SMALLEST_SHARE = 0.4
"""Random parts of the pictures stand for collections of other sizes."""
_REMOVED_FOR_TEXTS = 0.35
_REMOVED_FOR_PICTURES = 0.5
_ALIKE_SHARE = 0.01
"""Pictures whose captions are among so many of the nearest count as alike: few have the very same."""
_SEED = 17
_TELL_EVERY = 100
_LIMITS = PictureLimits(max_bytes=128 << 20, max_pixels=250_000_000)


@dataclass(frozen=True)
class CaptionedVectors:
    """m captioned pictures: captions, and the vectors of captions and pictures, shape (m, dimension)."""

    captions: Sequence[str]
    texts: Vectors
    pictures: Vectors


@dataclass(frozen=True)
class _BestHit:
    picture: int
    score: float
    background: Background
    is_right: bool


@dataclass(frozen=True)
class _Query:
    """A query over m pictures: its scores, what is right, and how near each caption is; shape (m,)."""

    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    near: NDArray[np.float32]
    itself: int | None


def calibrate_artifact(path: Path, folder: Path, progress: Progress = lambda _: None) -> Calibration:
    """Fit the curves of an artifact on the captioned pictures of a folder, and keep them in its manifest.

    Pictures that cannot be read are named by `progress` and left out. Raises ModelError.
    """
    artifact = open_artifact(path)
    encoder = OpenVinoEncoder(artifact)
    captions: list[str] = []
    vectors: list[Vectors] = []
    for number, one in enumerate(captioned_files(folder), start=1):
        try:
            picture = open_picture(one.path.read_bytes(), _LIMITS, artifact.manifest.preprocessing.size)
        except (BadPicture, OSError) as error:
            progress(f"left out: {one.path}: {error}")
            continue
        captions.append(one.caption)
        vectors.append(encoder.encode_images([picture.image]))
        if number % _TELL_EVERY == 0:
            progress(f"{number} pictures encoded")
    if not captions:
        raise ModelError(
            f"There is no captioned picture in {folder}: each needs its caption beside it, as photo.jpg and "
            f"photo.txt."
        )
    photos = CaptionedVectors(captions, query_texts(encoder).encode_texts(captions), np.concatenate(vectors))
    calibration = fit_calibration(photos, artifact.vocabulary())
    manifest = artifact.manifest.model_copy(update={"calibration": calibration})
    write_manifest(path, manifest)
    return calibration


def fit_calibration(photos: CaptionedVectors, vocabulary: Vectors) -> Calibration:
    """Fit both curves of a model; `vocabulary` are its vectors of words, shape (w, dimension).

    Raises ModelError where the model finds too few of the pictures by their captions.
    """
    return Calibration(
        text=_text_curve(list(_best_hits(_by_text(photos), _REMOVED_FOR_TEXTS)), photos, vocabulary),
        picture=_picture_curve(list(_best_hits(_by_picture(photos), _REMOVED_FOR_PICTURES))),
        pictures=len(photos.captions),
    )


def _by_text(photos: CaptionedVectors) -> Sequence[_Query]:
    captions = np.array(photos.captions)
    return [
        _Query(
            scores=photos.pictures @ photos.texts[number],
            right=captions == captions[number],
            near=photos.texts @ photos.texts[number],
            itself=None,
        )
        for number in np.unique(captions, return_index=True)[1]
    ]


def _by_picture(photos: CaptionedVectors) -> Sequence[_Query]:
    captions = np.array(photos.captions)
    count = 1 + max(1, int(_ALIKE_SHARE * len(captions)))
    queries = []
    for number, picture in enumerate(photos.pictures):
        near = photos.texts @ photos.texts[number]
        alike = (near >= np.partition(near, -count)[-count]) | (captions == captions[number])
        queries.append(_Query(photos.pictures @ picture, alike, near, itself=number))
    return queries


def _best_hits(queries: Sequence[_Query], removed_share: float) -> Iterator[_BestHit]:
    """Right best hits, and those of the same queries where what they ask for was taken away."""
    chance = np.random.default_rng(_SEED)
    pictures = len(queries[0].scores)
    kept = [query.near < np.quantile(query.near, 1 - removed_share) for query in queries]
    for _ in range(_COLLECTIONS):
        size = max(2, int(chance.uniform(_SMALLEST_SHARE, 1) * pictures))
        drawn = np.sort(chance.choice(pictures, size, replace=False))
        for query, rest in zip(queries, kept, strict=True):
            there = drawn[drawn != query.itself]
            found = _best_hit(query, there, is_right=True)
            if query.right[found.picture]:
                yield found
            left = there[rest[there]]
            if len(left):
                yield _best_hit(query, left, is_right=False)


def _best_hit(query: _Query, there: NDArray[np.intp], *, is_right: bool) -> _BestHit:
    scores = query.scores[there]
    best = int(scores.argmax())
    return _BestHit(int(there[best]), float(scores[best]), Background.of(scores, len(scores)), is_right)


def _text_curve(hits: Sequence[_BestHit], photos: CaptionedVectors, vocabulary: Vectors) -> TextCurve:
    words = photos.pictures[[hit.picture for hit in hits]] @ vocabulary.T
    shares = share_of_words(words, np.array([hit.score for hit in hits], dtype=np.float32))
    medians = np.array([hit.background.median for hit in hits])
    intercept, (by_share, median) = _fit(np.stack([log_share(shares), medians], axis=1), hits, "captions")
    if by_share >= 0:
        raise ModelError("The model cannot be calibrated: right captions fit no better than other words.")
    return TextCurve(
        intercept=intercept,
        log_share=by_share,
        median=median,
        typical_median=float(np.median(medians)),
    )


def _picture_curve(hits: Sequence[_BestHit]) -> PictureCurve:
    features = np.array([(hit.score, hit.background.median, hit.background.spread) for hit in hits])
    intercept, (score, median, spread) = _fit(features, hits, "pictures")
    if score <= 0:
        raise ModelError("The model cannot be calibrated: pictures alike score no higher than others.")
    return PictureCurve(
        intercept=intercept,
        score=score,
        median=median,
        spread=spread,
        typical_median=float(np.median(features[:, 1])),
        typical_spread=float(np.median(features[:, 2])),
    )


def _fit(features: NDArray[np.float64], hits: Sequence[_BestHit], of: str) -> tuple[float, list[float]]:
    """The intercept and the weights of a logistic regression on `features`, shape (hits, n)."""
    right = sum(hit.is_right for hit in hits) / _COLLECTIONS
    if right < MIN_RIGHT:
        raise ModelError(
            f"The model cannot be calibrated: of the queries by {of} {right:.0f} found a right picture "
            f"first, and at least {MIN_RIGHT} must. Give more captioned pictures."
        )
    scale = features.std(axis=0)
    regression = LogisticRegression(class_weight="balanced").fit(
        features / scale, [hit.is_right for hit in hits]
    )
    weights: list[float] = (regression.coef_[0] / scale).tolist()
    return float(regression.intercept_[0]), weights
