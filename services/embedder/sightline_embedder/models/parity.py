"""How far an exported model is from its reference, and how far is too far."""

import numpy as np
from PIL import Image

from sightline.encoder.artifact import Artifact, Checks
from sightline.encoder.golden import Golden
from sightline.encoder.openvino import OpenVinoEncoder, cpu_has_bf16
from sightline.encoder.preprocessing import prepare
from sightline.encoder.self_test import lowest_cosine
from sightline.errors import ModelError
from sightline.settings import Precision
from sightline_embedder.models.golden_inputs import TEXTS, golden_pictures
from sightline_embedder.models.reference import Reference

LOWEST_F32_COSINE = 0.99999
LOWEST_BF16_COSINE = 0.999
LARGEST_PIXEL_DIFFERENCE = 0.001
"""Mean absolute difference of normalised pixel values. On random weights the cosine is blind to wrong
resampling or a wrong mean (0.9999 with either); this is not."""


def record_golden(reference: Reference) -> Golden:
    """Encode the golden inputs with the reference."""
    pictures = golden_pictures()
    return Golden(
        views=np.stack([prepare(picture, reference.preprocessing) for picture in pictures]),
        image_vectors=reference.encode_images(pictures),
        texts=TEXTS,
        text_vectors=reference.texts.encode(TEXTS),
    )


def measure(reference: Reference, artifact: Artifact, golden: Golden) -> Checks:
    """Compare the artifact's towers and preprocessing with the reference; raises ModelError if too far.

    bf16 is measured where the model may use it and this CPU has it; it is the caller's to judge.
    """
    image_f32, text_f32 = _cosines(artifact, golden, Precision.F32)
    image_bf16 = text_bf16 = None
    if Precision.BF16 in artifact.manifest.precisions and cpu_has_bf16():
        image_bf16, text_bf16 = _cosines(artifact, golden, Precision.BF16)
    checks = Checks(
        image_cosine_f32=image_f32,
        text_cosine_f32=text_f32,
        image_cosine_bf16=image_bf16,
        text_cosine_bf16=text_bf16,
        pixel_difference=pixel_difference(reference, golden_pictures()) if reference.pixel_values else None,
    )
    _refuse_if_far(reference.name, checks)
    return checks


def pixel_difference(reference: Reference, pictures: list[Image.Image]) -> float:
    """Mean absolute difference between our normalised pixel values and the reference processor's."""
    assert reference.pixel_values is not None
    spec = reference.preprocessing
    views = np.stack([prepare(picture, spec)[0] for picture in pictures]) / 255
    ours = ((views - np.array(spec.mean)) / np.array(spec.std)).transpose(0, 3, 1, 2)
    return float(np.abs(ours - reference.pixel_values(pictures)).mean())


def _cosines(artifact: Artifact, golden: Golden, precision: Precision) -> tuple[float, float]:
    encoder = OpenVinoEncoder(artifact, precision)
    return (
        lowest_cosine(encoder.encode_views(golden.views), golden.image_vectors),
        lowest_cosine(encoder.encode_texts(golden.texts), golden.text_vectors),
    )


def _refuse_if_far(name: str, checks: Checks) -> None:
    faults = []
    if not checks.image_cosine_f32 >= LOWEST_F32_COSINE:
        faults.append(f"the image tower's cosine is {checks.image_cosine_f32:.6f}")
    if not checks.text_cosine_f32 >= LOWEST_F32_COSINE:
        faults.append(f"the text tower's cosine is {checks.text_cosine_f32:.6f}")
    if checks.pixel_difference is not None and not checks.pixel_difference <= LARGEST_PIXEL_DIFFERENCE:
        faults.append(f"pixel values differ by {checks.pixel_difference:.4f}")
    if faults:
        raise ModelError(
            f"The artifact of '{name}' does not agree with its reference: {'; '.join(faults)} (needed: "
            f"cosine {LOWEST_F32_COSINE}, pixel difference at most {LARGEST_PIXEL_DIFFERENCE})."
        )
