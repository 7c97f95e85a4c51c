import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.encoder.artifact import Artifact, Int8Checks, check_hashes, open_artifact
from sightline.encoder.openvino import OpenVinoEncoder, choose_precision
from sightline.encoder.self_test import self_test
from sightline.errors import ModelError
from sightline.settings import Precision
from sightline_embedder.models.int8 import FEWEST_PICTURES, add_int8, is_near_enough, overlap_at_10

pytest.importorskip("nncf", reason="nncf is not installed")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(5)
    for number in range(FEWEST_PICTURES):
        coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize((96, 72), Image.Resampling.BICUBIC).save(folder / f"{number:03}.png")
    (folder / "notes.png").write_text("no picture")
    return sorted(folder.iterdir(), reverse=True)


@pytest.fixture(scope="module")
def quantized(
    tiny_clip_artifact: Path, photos: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Artifact:
    copy = tmp_path_factory.mktemp("int8") / "artifact"
    shutil.copytree(tiny_clip_artifact, copy)
    return add_int8(open_artifact(copy), photos, trained=False)


def test_the_artifact_says_how_near_int8_is(quantized: Artifact) -> None:
    checks = quantized.manifest.checks.int8

    assert checks is not None
    assert checks.pictures == FEWEST_PICTURES // 2
    assert 0.9 < checks.cosine_p1 <= 1.00001
    assert 0 < checks.overlap_at_10 <= 1
    check_hashes(quantized)
    assert [path.name for path in quantized.path.iterdir() if path.name.startswith(".")] == []


def test_auto_never_takes_int8_that_was_not_judged_on_trained_weights(quantized: Artifact) -> None:
    assert choose_precision(quantized.manifest, Precision.AUTO, bf16=True) is Precision.BF16
    assert choose_precision(quantized.manifest, Precision.INT8, bf16=False) is Precision.INT8


def test_int8_makes_the_same_vectors_in_batches_of_every_size(quantized: Artifact) -> None:
    encoder = OpenVinoEncoder(quantized, Precision.INT8)
    views = np.random.default_rng(3).integers(0, 256, (70, 1, 64, 64, 3), dtype=np.uint8)

    vectors = encoder.encode_views(views)

    assert encoder.numerics == "openvino-int8"
    self_test(encoder, quantized)
    for count in (1, 5, 31, 33):
        np.testing.assert_allclose(encoder.encode_views(views[:count]), vectors[:count], atol=2e-3)
    full = OpenVinoEncoder(quantized, Precision.F32).encode_views(views)
    assert (vectors * full).sum(1).min() > 0.9
    assert np.abs(vectors - full).max() > 1e-5


def test_an_artifact_without_int8_says_how_to_get_it(tiny_clip_artifact: Path) -> None:
    with pytest.raises(ModelError, match="--precision int8"):
        OpenVinoEncoder(open_artifact(tiny_clip_artifact), Precision.INT8)


def test_trained_weights_make_int8_the_default_only_where_it_is_near_enough(
    quantized: Artifact, photos: list[Path], tmp_path: Path
) -> None:
    copy = tmp_path / "artifact"
    shutil.copytree(quantized.path, copy)

    manifest = add_int8(open_artifact(copy), photos, trained=True).manifest

    assert manifest.checks.int8 is not None
    near = is_near_enough(manifest.checks.int8)
    assert (manifest.default_precision is Precision.INT8) == near
    assert (Precision.INT8 in manifest.precisions) == near


@pytest.mark.parametrize(
    ("cosine", "overlap", "near"), [(0.9951, 0.98, True), (0.994, 0.98, False), (0.999, 0.96, False)]
)
def test_what_is_near_enough(cosine: float, overlap: float, near: bool) -> None:
    checks = Int8Checks(
        pictures=200, trained=True, cosine_p1=cosine, overlap_at_10=overlap, golden_cosine=0.99
    )

    assert is_near_enough(checks) is near


def test_overlap_counts_shared_neighbours() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    assert overlap_at_10(vectors, vectors) == 1
    assert overlap_at_10(vectors, -vectors[::-1]) < 0.6


def test_too_few_pictures_are_refused(tiny_clip_artifact: Path, photos: list[Path]) -> None:
    with pytest.raises(ModelError, match="at least 60 pictures"):
        add_int8(open_artifact(tiny_clip_artifact), photos[:20], trained=False)
