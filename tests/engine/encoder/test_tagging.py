import shutil
from pathlib import Path

import pytest
from PIL import Image
from skimage import data as skimage_data

from sightline.encoder.artifact import Artifact, open_artifact, write_manifest
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.encoder.tagging import Tagger
from sightline.errors import ModelError

SHOWN = {"chelsea.png": "a cat", "coffee.png": "a cup of coffee", "motorcycle_left.png": "a motorcycle"}
LABELS = ["a horse", "a cat", "a castle", "a cup of coffee", "a guitar", "a motorcycle", "a dog", "a bus"]


@pytest.fixture(scope="module")
def starter(starter_artifact: Path) -> Artifact:
    return open_artifact(starter_artifact)


def test_pictures_are_tagged_with_what_they_show(starter: Artifact) -> None:
    encoder = OpenVinoEncoder(starter)
    tagger = Tagger.of(LABELS, encoder, starter)
    folder = Path(skimage_data.__file__).parent
    pictures = [Image.open(folder / name).convert("RGB") for name in (*SHOWN, "brick.png")]

    tags = tagger.tags(encoder.encode_images(pictures))

    assert [one[:1] for one in tags] == [*((label,) for label in SHOWN.values()), ()]
    assert tagger.tags(encoder.encode_images([])) == []


def test_a_model_without_calibration_cannot_tag(starter: Artifact, tmp_path: Path) -> None:
    copy = open_artifact(Path(shutil.copytree(starter.path, tmp_path / "artifact")))
    write_manifest(copy.path, copy.manifest.model_copy(update={"calibration": None}))

    with pytest.raises(ModelError, match="sightline model calibrate"):
        Tagger.of(LABELS, OpenVinoEncoder(starter), open_artifact(copy.path))
