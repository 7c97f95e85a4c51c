"""What the calibration of a model is worth: fitted on one captioned set, looked at on another.

    python -m bench.relevance --model .cache/models/starter

Prints the curves that the stamps of Tux Paint give, and how the ones in the artifact do on the photos of
GCompris, on which no constant was set: how many right best hits have a relevance of 0.5, and how many best
hits of captions have less, when their pictures are taken away with the half of the photos that are nearest
to them in words.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.captioned import Captioned, gcompris, stamps
from sightline.encoder import Encoder, Vectors
from sightline.encoder.artifact import open_artifact
from sightline.encoder.calibration import Background, TextCurve, share_of_words
from sightline.encoder.openvino import OpenVinoEncoder
from sightline_embedder.models.calibrate import CaptionedVectors, fit_calibration


def encoded(encoder: Encoder, photos: Sequence[Captioned]) -> CaptionedVectors:
    """The vectors of captioned photos."""
    captions = [photo.caption for photo in photos]
    pictures = encoder.encode_images([photo.picture for photo in photos])
    return CaptionedVectors(captions, encoder.encode_texts(captions), pictures)


def right_and_lacking(
    photos: CaptionedVectors, vocabulary: Vectors, curve: TextCurve
) -> tuple[list[float], list[float]]:
    """The relevance of right best hits, and of the best hits of captions whose pictures are taken away."""
    right, lacking = [], []
    for caption, text in zip(photos.captions, photos.texts, strict=True):
        scores, near = photos.pictures @ text, photos.texts @ text

        def judged(there: NDArray[np.intp], scores: Vectors = scores) -> tuple[int, float]:
            best = int(there[scores[there].argmax()])
            shares = share_of_words(photos.pictures[[best]] @ vocabulary.T, scores[[best]])
            background = Background.of(scores[there], len(there))
            return best, float(curve.relevance(shares, background)[0])

        best, relevance = judged(np.arange(len(scores)))
        if photos.captions[best] == caption:
            right.append(relevance)
        lacking.append(judged(np.flatnonzero(near < np.median(near)))[1])
    return right, lacking


def main() -> None:
    """Print the curves and the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of a calibrated artifact")
    parser.add_argument("--cache", type=Path, default=Path(".cache/captioned"))
    told = parser.parse_args()
    artifact = open_artifact(told.model)
    calibration = artifact.manifest.calibration
    if calibration is None:
        raise SystemExit("The artifact has no calibration: give it one with `sightline model calibrate`.")
    encoder, vocabulary = OpenVinoEncoder(artifact), artifact.vocabulary()
    fitted = fit_calibration(encoded(encoder, list(stamps(told.cache))), vocabulary)
    photos = encoded(encoder, list(gcompris(told.cache)))
    right, lacking = right_and_lacking(photos, vocabulary, calibration.text)
    figures = {
        "fitted": fitted.model_dump(),
        "right best hits": len(right),
        "of them at 0.5 or more": float(np.mean(np.array(right) >= 0.5)),
        "queries for what is lacking": len(lacking),
        "of them below 0.5": float(np.mean(np.array(lacking) < 0.5)),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
