import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from sightline.encoder.artifact import FILES, MANIFEST, VOCABULARY, TextHandling, open_artifact
from sightline.encoder.openvino import OpenVinoEncoder, cpu_has_bf16
from sightline.encoder.self_test import lowest_cosine
from sightline.errors import ModelError
from sightline.settings import Precision
from sightline_embedder.models import build
from sightline_embedder.models.build import build_artifact, load_reference, space_id, verify_artifact
from sightline_embedder.models.catalog import entry_for
from sightline_embedder.models.reference import Reference

TEXTS = [
    "a dog",
    "Three CATS, asleep on a sofa",
    "",
    "l'été à la plage",
    "猫",
    "a photograph of a small harbour with fishing boats in the early morning light. " * 8,
]


def test_long_text_of_these_tests_is_long() -> None:
    assert len(TEXTS[-1]) >= 600


@pytest.mark.long
@pytest.mark.parametrize(("precision", "lowest"), [(Precision.F32, 0.99999), (Precision.BF16, 0.999)])
def test_vit_b32_agrees_with_sentence_transformers(
    clip_b32_folder: Path,
    clip_b32_artifact: Path,
    pictures: list[Image.Image],
    precision: Precision,
    lowest: float,
) -> None:
    if precision is Precision.BF16 and not cpu_has_bf16():
        pytest.skip("this CPU does not compute in bf16")
    stock = SentenceTransformer(str(clip_b32_folder), device="cpu")
    images = stock.encode(pictures, normalize_embeddings=True)
    texts = stock.encode(TEXTS, normalize_embeddings=True)

    encoder = OpenVinoEncoder(open_artifact(clip_b32_artifact), precision)

    assert lowest_cosine(encoder.encode_images(pictures), images) >= lowest
    assert lowest_cosine(encoder.encode_texts(TEXTS), texts) >= lowest


@pytest.mark.long
def test_vit_b32_manifest_keeps_what_was_measured(clip_b32_artifact: Path) -> None:
    manifest = open_artifact(clip_b32_artifact).manifest

    assert manifest.dimension == 512
    assert manifest.context_tokens == 77
    assert manifest.preprocessing.resample == "bicubic"
    assert manifest.checks.image_cosine_f32 >= 0.99999
    assert manifest.checks.text_cosine_f32 >= 0.99999
    assert manifest.checks.pixel_difference is not None
    assert manifest.checks.pixel_difference <= 0.001
    assert manifest.default_precision is Precision.BF16


def test_legacy_layout_is_the_same_model(
    tiny_clip_folder: Path, tiny_clip_artifact: Path, tmp_path: Path
) -> None:
    # Given the layout in which clip-ViT-B-32 is published
    legacy = tmp_path / "tiny-clip"
    legacy.mkdir()
    shutil.copytree(tiny_clip_folder, legacy / "0_CLIPModel")
    (legacy / "modules.json").write_text(
        '[{"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}]'
    )

    artifact = build_artifact(str(legacy), tmp_path / "artifact")

    assert artifact.manifest.space == open_artifact(tiny_clip_artifact).manifest.space
    verify_artifact(artifact.path)


def test_precision_and_place_do_not_change_the_space(tiny_reference: Reference) -> None:
    elsewhere = replace(tiny_reference, source="/elsewhere", precisions=(Precision.F32,), revision="other")

    assert space_id(elsewhere) == space_id(tiny_reference)


@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer_json": '{"model": {"vocab": {}}}'},
        {"handling": TextHandling(context_tokens=77, padding="longest", pad_id=519, prompt="a photo of {}")},
    ],
    ids=str,
)
def test_how_texts_are_read_changes_the_space(tiny_reference: Reference, change: dict[str, Any]) -> None:
    other = replace(tiny_reference, texts=replace(tiny_reference.texts, **change))

    assert space_id(other) != space_id(tiny_reference)


def test_other_weights_change_the_space(tiny_reference: Reference) -> None:
    assert space_id(replace(tiny_reference, digest="other weights")) != space_id(tiny_reference)


def test_preprocessing_changes_the_space(tiny_reference: Reference) -> None:
    other = tiny_reference.preprocessing.model_copy(update={"resample": "bilinear"})

    assert space_id(replace(tiny_reference, preprocessing=other)) != space_id(tiny_reference)


def test_changed_weight_changes_the_space(
    tiny_clip_folder: Path, tiny_reference: Reference, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(tiny_clip_folder, tmp_path / "tiny-clip"))
    weights = load_file(other / "model.safetensors")
    weights["text_projection.weight"][0, 0] += 1e-3
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})

    assert space_id(load_reference(entry_for(str(other)))) != space_id(tiny_reference)


def test_build_reports_its_steps_and_leaves_only_the_artifact(tiny_clip_folder: Path, tmp_path: Path) -> None:
    # Given an old folder in its place
    (tmp_path / "deep" / "artifact").mkdir(parents=True)
    (tmp_path / "deep" / "artifact" / "old").touch()
    lines: list[str] = []

    build_artifact(str(tiny_clip_folder), tmp_path / "deep" / "artifact", lines.append)

    assert lines[0] == "loading tiny-clip"
    assert "comparing with the reference" in lines
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["artifact"]
    assert {path.name for path in (tmp_path / "deep" / "artifact").iterdir()} == {
        *FILES,
        VOCABULARY,
        MANIFEST,
    }


def test_build_that_fails_leaves_the_old_artifact(
    tiny_clip_folder: Path, tiny_clip_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(tiny_clip_artifact, tmp_path / "out"))
    before = (out / MANIFEST).read_bytes()

    def refuse(*_: object) -> None:
        raise ModelError("too far")

    monkeypatch.setattr(build, "measure", refuse)
    with pytest.raises(ModelError, match="too far"):
        build_artifact(str(tiny_clip_folder), out)

    assert (out / MANIFEST).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_unreachable_hub_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(ModelError, match=r"neither a folder nor in the local cache.*'starter'"):
        build_artifact("nobody/no-such-model", tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


def test_folder_that_holds_no_model(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(ModelError, match="cannot load"):
        build_artifact(str(tmp_path / "empty"), tmp_path / "out")


def test_place_where_no_artifact_can_be_is_said_before_anything_is_loaded(
    tiny_clip_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    steps: list[str] = []
    with pytest.raises(ModelError, match=r"No model can be kept in .*: File exists"):
        build_artifact(str(tiny_clip_folder), tmp_path / "file" / "model", steps.append)
    assert steps == []


def test_verify_measures_anew(tiny_clip_artifact: Path) -> None:
    checks = verify_artifact(tiny_clip_artifact)

    assert checks.image_cosine_f32 >= 0.99999
    assert checks.pixel_difference == pytest.approx(0, abs=0.001)


def test_verify_with_another_source_and_with_none(
    tiny_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    source = Path(shutil.copytree(tiny_clip_folder, tmp_path / "source"))
    artifact = build_artifact(str(source), tmp_path / "artifact")
    processor = source / "processor_config.json"
    processor.write_text(processor.read_text().replace("0.26862954", "0.5"))
    with pytest.raises(ModelError, match="does not agree with its reference"):
        verify_artifact(tmp_path / "artifact")
    shutil.rmtree(source)
    lines: list[str] = []

    checks = verify_artifact(tmp_path / "artifact", lines.append)

    assert checks == artifact.manifest.checks
    assert lines[-1].startswith("not compared with its source")


def test_verify_finds_a_changed_weight(tiny_clip_artifact: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_clip_artifact, tmp_path / "copy"))
    content = bytearray((copy / "image.bin").read_bytes())
    content[2000] ^= 64
    (copy / "image.bin").write_bytes(content)

    with pytest.raises(ModelError, match=r"image\.bin is not the file that was built"):
        verify_artifact(copy)


def test_golden_vectors_differ_from_one_another(starter_artifact: Path) -> None:
    golden = open_artifact(starter_artifact).golden()

    for vectors in (golden.image_vectors, golden.text_vectors):
        distances = np.abs(vectors[:, None] - vectors[None]).max(2)
        assert distances[~np.eye(len(vectors), dtype=bool)].min() > 1e-3
