import json
import re
import shutil
from pathlib import Path

import pytest

from sightline.encoder.artifact import GOLDEN, IMAGE_TOWER, MANIFEST, TOKENIZER, check_hashes, open_artifact
from sightline.errors import ModelError


@pytest.fixture
def copy(tiny_clip_artifact: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_clip_artifact, tmp_path / "copy"))


def test_manifest_says_what_the_model_is(tiny_clip_artifact: Path) -> None:
    manifest = open_artifact(tiny_clip_artifact).manifest

    assert manifest.family == "clip"
    assert manifest.dimension == 32
    assert manifest.context_tokens == 77
    assert re.fullmatch(r"tiny-clip@[0-9a-f]{16}", manifest.space)


def test_hashes_of_an_untouched_artifact_agree(tiny_clip_artifact: Path) -> None:
    check_hashes(open_artifact(tiny_clip_artifact))


def test_golden_vectors_belong_to_their_inputs(tiny_clip_artifact: Path) -> None:
    golden = open_artifact(tiny_clip_artifact).golden()

    assert golden.views.shape == (len(golden.image_vectors), 1, 64, 64, 3)
    assert golden.text_vectors.shape == (len(golden.texts), 32)


def test_folder_without_manifest_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model artifact in .*sightline model build"):
        open_artifact(tmp_path)


def test_missing_folder_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model artifact"):
        open_artifact(tmp_path / "nowhere")


def test_manifest_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(ModelError, match=rf"{MANIFEST} cannot be read: Is a directory"):
        open_artifact(tmp_path)


@pytest.mark.parametrize("content", ["", "{", '{"name": "x"}'])
def test_manifest_that_cannot_be_read(copy: Path, content: str) -> None:
    (copy / MANIFEST).write_text(content)

    with pytest.raises(ModelError, match="Build the artifact again"):
        open_artifact(copy)


@pytest.mark.parametrize("name", [IMAGE_TOWER, TOKENIZER, GOLDEN])
def test_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()

    with pytest.raises(ModelError, match=rf"{re.escape(name)} is missing"):
        open_artifact(copy)


def test_cut_file_is_named(copy: Path) -> None:
    tower = copy / "image.bin"
    tower.write_bytes(tower.read_bytes()[:-1])

    with pytest.raises(ModelError, match=r"image\.bin has \d+ bytes instead of"):
        open_artifact(copy)


def test_file_the_manifest_does_not_record(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    del manifest["files"]["text.bin"]
    (copy / MANIFEST).write_text(json.dumps(manifest))

    with pytest.raises(ModelError, match="does not record"):
        open_artifact(copy)


def test_changed_byte_is_found_by_its_hash(copy: Path) -> None:
    tower = copy / "text.bin"
    content = bytearray(tower.read_bytes())
    content[100] ^= 1
    tower.write_bytes(content)
    artifact = open_artifact(copy)

    with pytest.raises(ModelError, match=r"text\.bin is not the file that was built"):
        check_hashes(artifact)


def test_golden_file_that_cannot_be_read(copy: Path) -> None:
    artifact = open_artifact(copy)
    (copy / GOLDEN).write_bytes(b"not a zip")

    with pytest.raises(ModelError, match="golden vectors"):
        artifact.golden()
