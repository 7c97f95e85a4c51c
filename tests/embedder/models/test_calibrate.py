import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sightline.encoder.artifact import open_artifact
from sightline.encoder.calibration import Background, Calibration
from sightline.errors import ModelError
from sightline_embedder.models.calibrate import calibrate_artifact, fit_calibration
from sightline_embedder.models.captioned import captioned_files

ROOT = Path(__file__).resolve().parents[3]


def unit(vectors: np.ndarray) -> np.ndarray:
    normed: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normed.astype(np.float32)


def captioned(seed: int, concepts: int = 60, each: int = 3) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Concepts in families, as animals and tools are; pictures lie near their concept, far less so texts."""
    chance = np.random.default_rng(seed)
    families = np.repeat(chance.normal(size=(concepts // 6, 64)), 6, axis=0)
    meaning = unit(families + 0.9 * chance.normal(size=(concepts, 64)))
    captions = [f"concept {number // each}" for number in range(concepts * each)]
    pictures = unit(np.repeat(meaning, each, axis=0) + 0.1 * chance.normal(size=(concepts * each, 64)))
    texts = unit(meaning + 0.15 * chance.normal(size=meaning.shape))
    return captions, np.repeat(texts, each, axis=0), pictures


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return fit_calibration(*captioned(1))


def test_right_hits_stand_out_and_others_do_not_on_what_was_not_fitted(calibration: Calibration) -> None:
    captions, texts, pictures = captioned(2)
    right, absent = [], []
    for number in range(0, len(captions), 3):
        scores = pictures @ texts[number]
        right.append(calibration.text.relevance(scores.max()[None], Background.of(scores, len(scores)))[0])
        family = number // 18
        others = np.array([place // 18 != family for place in range(len(captions))])
        left = scores[others]
        absent.append(calibration.text.relevance(left.max()[None], Background.of(left, len(left)))[0])

    assert np.mean(np.array(right) >= 0.5) >= 0.9
    assert np.mean(np.array(absent) < 0.5) >= 0.9
    assert calibration.pictures == len(captions)


def test_the_fit_is_the_same_every_time(calibration: Calibration) -> None:
    assert fit_calibration(*captioned(1)) == calibration


def test_a_model_that_finds_nothing_cannot_be_calibrated() -> None:
    captions, texts, pictures = captioned(3)
    shuffled = np.random.default_rng(4).permutation(pictures)

    with pytest.raises(ModelError, match="at least 20 must"):
        fit_calibration(captions, texts, shuffled)


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
    sys.path.insert(0, str(ROOT))
    from bench.captioned import stamps

    photos = tmp_path / "photos"
    photos.mkdir()
    for number, one in enumerate(stamps(ROOT / ".cache/captioned")):
        one.picture.save(photos / f"{number:03}.png")
        (photos / f"{number:03}.txt").write_text(one.caption)
    artifact = tmp_path / "starter"
    shutil.copytree(starter_artifact, artifact)
    command = [sys.executable, "-m", "sightline_local", "model", "calibrate", str(artifact), str(photos)]
    ended = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)

    printed = Calibration.model_validate(json.loads(ended.stdout))
    shipped = open_artifact(starter_artifact).manifest.calibration

    assert open_artifact(artifact).manifest.calibration == printed
    assert shipped is not None
    for kind in ("text", "picture"):
        for name, value in getattr(shipped, kind).model_dump().items():
            assert getattr(getattr(printed, kind), name) == pytest.approx(value, rel=0.02, abs=0.005), name
