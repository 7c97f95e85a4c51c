import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.encoder import Encoder, Views
from sightline.encoder.artifact import Artifact, open_artifact
from sightline.encoder.openvino import OpenVinoEncoder, choose_precision, cpu_has_bf16
from sightline.encoder.preprocessing import prepare
from sightline.errors import ModelError
from sightline.settings import Precision

TEXTS = [f"text number {number} {'and more ' * (number % 7)}" for number in range(150)]


def test_vectors_are_float32_of_length_one(encoder: Encoder, views: Views) -> None:
    for vectors in (encoder.encode_views(views), encoder.encode_texts(TEXTS)):
        assert vectors.dtype == np.float32
        assert vectors.shape[1] == encoder.manifest.dimension
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_nothing_in_gives_nothing_out(encoder: Encoder, views: Views) -> None:
    assert encoder.encode_views(views[:0]).shape == (0, 32)
    assert encoder.encode_images([]).shape == (0, 32)
    assert encoder.encode_texts([]).shape == (0, 32)


def test_batches_give_the_vectors_of_single_pictures(encoder: Encoder, views: Views) -> None:
    single = np.concatenate([encoder.encode_views(view[None]) for view in views])

    np.testing.assert_allclose(encoder.encode_views(views), single, atol=1e-5)


def test_batches_give_the_vectors_of_single_texts(encoder: Encoder) -> None:
    single = np.concatenate([encoder.encode_texts([text]) for text in TEXTS])

    np.testing.assert_allclose(encoder.encode_texts(TEXTS), single, atol=1e-5)


def test_pictures_are_prepared_as_the_manifest_says(encoder: Encoder, pictures: list[Image.Image]) -> None:
    views = np.stack([prepare(picture, encoder.manifest.preprocessing) for picture in pictures])

    np.testing.assert_array_equal(encoder.encode_images(pictures), encoder.encode_views(views))


def test_vectors_are_copies(encoder: Encoder, views: Views) -> None:
    first = encoder.encode_views(views[:1])
    kept = first.copy()
    encoder.encode_views(views[1:2])

    np.testing.assert_array_equal(first, kept)


def test_threads_do_not_disturb_one_another(encoder: Encoder, views: Views) -> None:
    expected = [encoder.encode_views(views[index : index + 3]) for index in range(30)]
    texts = [encoder.encode_texts(TEXTS[index : index + 3]) for index in range(30)]

    with ThreadPoolExecutor(8) as pool:
        got = pool.map(lambda index: encoder.encode_views(views[index : index + 3]), range(30))
        got_texts = pool.map(lambda index: encoder.encode_texts(TEXTS[index : index + 3]), range(30))

        for vectors, wanted in zip([*got, *got_texts], [*expected, *texts], strict=True):
            np.testing.assert_allclose(vectors, wanted, atol=1e-6)


def test_long_text_exceeds_the_context_and_is_cut(encoder: Encoder) -> None:
    long = "a cat on a mat " * 40

    assert encoder.exceeds_context(long)
    np.testing.assert_allclose(
        encoder.encode_texts([long]), encoder.encode_texts([long + "and a dog"]), atol=1e-6
    )


@pytest.mark.parametrize(
    ("asked", "bf16", "chosen"),
    [
        (Precision.AUTO, True, Precision.BF16),
        (Precision.AUTO, False, Precision.F32),
        (Precision.F32, True, Precision.F32),
        (Precision.BF16, True, Precision.BF16),
    ],
)
def test_precision(artifact: Artifact, asked: Precision, bf16: bool, chosen: Precision) -> None:
    assert choose_precision(artifact.manifest, asked, bf16) is chosen


def test_bf16_is_refused_where_the_cpu_lacks_it(artifact: Artifact) -> None:
    with pytest.raises(ModelError, match="CPU does not compute in bf16"):
        choose_precision(artifact.manifest, Precision.BF16, bf16=False)


def test_bf16_is_refused_where_the_model_loses_too_much(artifact: Artifact) -> None:
    manifest = artifact.manifest.model_copy(update={"precisions": (Precision.F32,)})

    with pytest.raises(ModelError, match="loses too much in bf16"):
        choose_precision(manifest, Precision.BF16, bf16=True)


def test_numerics_name_the_precision(artifact: Artifact, encoder: Encoder) -> None:
    assert encoder.numerics == "openvino-f32"
    expected = "openvino-bf16" if cpu_has_bf16() else "openvino-f32"
    assert OpenVinoEncoder(artifact).numerics == expected


def test_cache_folder_is_filled_and_used(artifact: Artifact, tmp_path: Path, views: Views) -> None:
    first = OpenVinoEncoder(artifact, Precision.F32, cache_dir=tmp_path)
    assert any(tmp_path.iterdir())
    second = OpenVinoEncoder(artifact, Precision.F32, threads=1, cache_dir=tmp_path)

    np.testing.assert_allclose(first.encode_views(views), second.encode_views(views), atol=1e-5)


def test_tower_that_is_no_model(artifact: Artifact, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(artifact.path, tmp_path / "copy"))
    (copy / "image.xml").write_bytes(b" " * (copy / "image.xml").stat().st_size)

    with pytest.raises(ModelError, match=r"OpenVINO cannot load .*image\.xml"):
        OpenVinoEncoder(open_artifact(copy))
