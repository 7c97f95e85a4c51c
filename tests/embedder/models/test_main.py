"""`python -m sightline_embedder.models`: the artifact is built once, and again only when it is damaged."""

import shutil
import sys
from pathlib import Path

import pytest

from sightline.encoder.artifact import MANIFEST, TOKENIZER, check_hashes, open_artifact
from sightline_embedder.models.__main__ import have_artifact, main


def test_whole_artifact_is_left_alone(tiny_clip_folder: Path, tiny_clip_artifact: Path) -> None:
    before = (tiny_clip_artifact / MANIFEST).stat()
    assert have_artifact(str(tiny_clip_folder), tiny_clip_artifact).path == tiny_clip_artifact
    assert (tiny_clip_artifact / MANIFEST).stat() == before


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_missing_or_damaged_artifact_is_built(
    tiny_clip_folder: Path, tiny_clip_artifact: Path, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "model"
    if damage == "altered":
        shutil.copytree(tiny_clip_artifact, folder)
        text = (folder / TOKENIZER).read_text()
        (folder / TOKENIZER).write_text(text.replace("cat", "dog"))
    have_artifact(str(tiny_clip_folder), folder)
    built = open_artifact(folder)
    check_hashes(built)
    assert built.manifest.space == open_artifact(tiny_clip_artifact).manifest.space


def test_model_that_cannot_be_had_is_refused_and_no_other_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(sys, "argv", ["models", "no-such/model", str(tmp_path / "model")])
    assert main() == 2
    assert "no-such/model" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
