import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sightline.encoder.artifact import open_artifact
from sightline.encoder.calibration import Background, Calibration, share_of_words
from sightline.errors import ModelError
from sightline_embedder.models.calibrate import CaptionedVectors, calibrate_artifact, fit_calibration
from sightline_embedder.models.captioned import captioned_files

ROOT = Path(__file__).resolve().parents[3]


def unit(vectors: np.ndarray) -> np.ndarray:
    normed: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normed.astype(np.float32)


def photos(seed: int, concepts: int = 60, each: int = 3) -> tuple[CaptionedVectors, np.ndarray]:
    """Concepts in families of six, as animals and tools are, three pictures of each; and other words."""
    chance = np.random.default_rng(seed)
    families = np.repeat(chance.normal(size=(concepts // 6 * 2, 64)), 6, axis=0)
    meaning = unit(families + 0.9 * chance.normal(size=families.shape))
    shown = np.repeat(meaning[:concepts], each, axis=0)
    texts = np.repeat(unit(meaning[:concepts] + 0.1 * chance.normal(size=(concepts, 64))), each, axis=0)
    pictures = unit(shown + 0.1 * chance.normal(size=shown.shape))
    captions = [f"concept {number // each}" for number in range(concepts * each)]
    return CaptionedVectors(captions, texts, pictures), meaning


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return fit_calibration(*photos(1))


def test_right_hits_stand_out_and_others_do_not_on_what_was_not_fitted(calibration: Calibration) -> None:
    shown, vocabulary = photos(2)
    right, absent = [], []
    for number in range(0, len(shown.captions), 3):
        scores = shown.pictures @ shown.texts[number]
        near = shown.texts @ shown.texts[number]
        unlike = near < np.quantile(near, 0.65)
        for kept, found in ((np.ones_like(unlike), right), (unlike, absent)):
            best = np.flatnonzero(kept)[scores[kept].argmax()]
            shares = share_of_words(shown.pictures[[best]] @ vocabulary.T, scores[[best]])
            background = Background.of(scores[kept], int(kept.sum()))
            found.append(calibration.text.relevance(shares, background)[0])

    assert np.mean(np.array(right) >= 0.5) >= 0.9
    assert np.mean(np.array(absent) < 0.5) >= 0.9
    assert calibration.pictures == len(shown.captions)


def test_the_fit_is_the_same_every_time(calibration: Calibration) -> None:
    assert fit_calibration(*photos(1)) == calibration


def test_a_model_that_finds_nothing_cannot_be_calibrated() -> None:
    shown, vocabulary = photos(3)
    shuffled = np.random.default_rng(4).permutation(shown.pictures)

    with pytest.raises(ModelError, match="at least 20 must"):
        fit_calibration(CaptionedVectors(shown.captions, shown.texts, shuffled), vocabulary)


def test_captions_stand_beside_their_pictures(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name, text in {"b.jpg": "a cat\nmore", "deep/a.PNG": " a dog ", "c.jpg": "\n", "d.jpg": None}.items():
        (tmp_path / name).write_bytes(b"")
        if text is not None:
            (tmp_path / name).with_suffix(".txt").write_text(text)
    (tmp_path / "e.txt").write_text("of no picture")

    found = [(one.path.name, one.caption) for one in captioned_files(tmp_path)]

    assert found == [("b.jpg", "a cat"), ("a.PNG", "a dog")]


def test_a_folder_without_captions_is_refused(tmp_path: Path, starter_artifact: Path) -> None:
    with pytest.raises(ModelError, match=r"photo\.jpg and photo\.txt"):
        calibrate_artifact(starter_artifact, tmp_path)


@pytest.mark.long
def test_the_curves_of_starter_are_those_of_the_command(starter_artifact: Path, tmp_path: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("the photos come from a Debian package, and apt-get is not here")
    from bench.captioned import stamps

    folder = tmp_path / "photos"
    folder.mkdir()
    for number, one in enumerate(stamps(ROOT / ".cache/captioned")):
        one.picture.save(folder / f"{number:03}.png")
        (folder / f"{number:03}.txt").write_text(one.caption)
    artifact = tmp_path / "starter"
    shutil.copytree(starter_artifact, artifact)
    command = [sys.executable, "-m", "sightline_local", "model", "calibrate", str(artifact), str(folder)]
    ended = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)

    printed = Calibration.model_validate(json.loads(ended.stdout))
    shipped = open_artifact(starter_artifact).manifest.calibration

    assert open_artifact(artifact).manifest.calibration == printed
    assert shipped is not None
    for kind in ("text", "picture"):
        for name, value in getattr(shipped, kind).model_dump().items():
            assert getattr(getattr(printed, kind), name) == pytest.approx(value, rel=0.02, abs=0.005), name
