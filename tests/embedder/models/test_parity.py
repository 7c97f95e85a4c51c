from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from sightline.encoder.artifact import open_artifact
from sightline.errors import ModelError
from sightline_embedder.models.build import load_reference
from sightline_embedder.models.catalog import entry_for
from sightline_embedder.models.golden_inputs import golden_pictures
from sightline_embedder.models.parity import (
    LARGEST_PIXEL_DIFFERENCE,
    measure,
    pixel_difference,
    record_golden,
)
from sightline_embedder.models.reference import Reference

WRONG = [
    {"resample": "bilinear"},
    {"resample": "lanczos"},
    {"mean": (0.485, 0.456, 0.406)},
    {"std": (0.229, 0.224, 0.225)},
    {"views": ("stretch",)},
    {"views": ("letterbox",)},
]


@pytest.fixture(scope="module")
def b32_reference(clip_b32_folder: Path) -> Reference:
    return load_reference(entry_for(str(clip_b32_folder)))


def _with(reference: Reference, wrong: dict[str, object]) -> Reference:
    preprocessing = reference.preprocessing.model_dump() | wrong
    return replace(reference, preprocessing=type(reference.preprocessing).model_validate(preprocessing))


def test_pixel_values_are_those_of_the_processor(
    b32_reference: Reference, pictures: list[Image.Image]
) -> None:
    assert pixel_difference(b32_reference, pictures) <= LARGEST_PIXEL_DIFFERENCE
    assert pixel_difference(b32_reference, golden_pictures()) <= LARGEST_PIXEL_DIFFERENCE


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_wrong_preprocessing_is_seen_in_the_pixel_values(
    b32_reference: Reference, pictures: list[Image.Image], wrong: dict[str, object]
) -> None:
    assert pixel_difference(_with(b32_reference, wrong), pictures) > 2 * LARGEST_PIXEL_DIFFERENCE
    assert pixel_difference(_with(b32_reference, wrong), golden_pictures()) > 2 * LARGEST_PIXEL_DIFFERENCE


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_wrong_preprocessing_is_refused(
    tiny_reference: Reference, tiny_clip_artifact: Path, wrong: dict[str, object]
) -> None:
    reference = _with(tiny_reference, wrong)

    with pytest.raises(ModelError, match="pixel values differ"):
        measure(reference, open_artifact(tiny_clip_artifact), record_golden(tiny_reference))


def test_other_vectors_are_refused(tiny_reference: Reference, tiny_clip_artifact: Path) -> None:
    golden = record_golden(tiny_reference)
    swapped = replace(
        golden, image_vectors=golden.image_vectors[::-1], text_vectors=golden.text_vectors[::-1]
    )

    with pytest.raises(ModelError, match=r"image tower's cosine is .*text tower's cosine is"):
        measure(tiny_reference, open_artifact(tiny_clip_artifact), swapped)
