"""The test a loaded model passes before it serves: does it still make the vectors it was built to make?"""

import numpy as np
from numpy.typing import NDArray

from sightline.encoder import Encoder, Vectors
from sightline.encoder.artifact import Artifact
from sightline.errors import ModelError

LOWEST_COSINE = {"f32": 0.9999, "bf16": 0.999}
"""Lowest cosine to a golden vector by precision, on any machine; builds are held to stricter ones."""

_INT8_TOLERANCE = 0.01
"""How much further from the golden vectors int8 may be than where it was built."""
_LENGTH_TOLERANCE = 1e-3
_SAME_VECTOR = 1e-6


def self_test(encoder: Encoder, artifact: Artifact) -> None:
    """Encode the golden inputs and compare; raises ModelError that says what is wrong."""
    golden = artifact.golden()
    lowest = LOWEST_COSINE["f32" if "f32" in encoder.numerics else "bf16"]
    of = f"model {artifact.manifest.name} on {encoder.numerics}"
    int8 = artifact.manifest.checks.int8
    of_images = int8.golden_cosine - _INT8_TOLERANCE if "int8" in encoder.numerics and int8 else lowest
    _check("image", of, encoder.encode_views(golden.views), golden.image_vectors, of_images)
    _check("text", of, encoder.encode_texts(golden.texts), golden.text_vectors, lowest)
    if encoder.multilingual is not None:
        other = artifact.multilingual_golden()
        vectors = encoder.multilingual.encode_texts(other.texts)
        _check("multilingual text", of, vectors, other.vectors, lowest)


def lowest_cosine(vectors: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """The lowest cosine between rows of two (n, d) arrays of unit vectors."""
    return float(np.einsum("nd,nd->n", vectors, reference, dtype=np.float64).min())


def _check(kind: str, of: str, vectors: Vectors, golden: NDArray[np.float32], lowest: float) -> None:
    if vectors.shape != golden.shape:
        raise ModelError(f"Self-test of {of}: {kind} vectors have shape {vectors.shape}, not {golden.shape}.")
    if not np.isfinite(vectors).all():
        raise ModelError(f"Self-test of {of}: {kind} vectors have NaN or infinite numbers.")
    lengths = np.linalg.norm(vectors, axis=1)
    if np.abs(lengths - 1).max() > _LENGTH_TOLERANCE:
        raise ModelError(
            f"Self-test of {of}: {kind} vectors are not normalised (lengths {lengths.round(3)})."
        )
    if np.abs(vectors - vectors[0]).max() < _SAME_VECTOR:
        raise ModelError(f"Self-test of {of}: all {kind} vectors are equal, whatever the input.")
    cosine = lowest_cosine(vectors, golden)
    if cosine < lowest:
        raise ModelError(
            f"Self-test of {of}: {kind} vectors differ from the recorded ones (cosine {cosine:.5f}, at least "
            f"{lowest} is needed). Try SIGHTLINE_PRECISION=f32, or build the artifact again."
        )
