import shutil
from pathlib import Path

import numpy as np
import pytest
from skimage import data as skimage_data

from sightline.encoder import Encoder
from sightline.encoder.artifact import open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.pictures import PictureLimits, open_picture
from sightline_local.captioned_points import encode_captioned
from sightline_local.errors import EvaluationError

LIMITS = PictureLimits(max_bytes=1 << 24, max_pixels=1 << 24)
PHOTOS = Path(skimage_data.__file__).parent


@pytest.fixture(scope="module")
def encoder(tiny_clip_artifact: Path) -> Encoder:
    return OpenVinoEncoder(open_artifact(tiny_clip_artifact))


def captioned(folder: Path, photo: str, name: str) -> Path:
    path = folder / name
    shutil.copyfile(PHOTOS / photo, path)
    path.with_suffix(".txt").write_text("a caption")
    return path


def test_files_of_the_same_bytes_are_one_point_with_all_their_sources(
    tmp_path: Path, encoder: Encoder
) -> None:
    cats = [captioned(tmp_path, "chelsea.png", name) for name in ("a.png", "b.png")]
    rocket = captioned(tmp_path, "rocket.jpg", "c.jpg")
    shutil.copyfile(PHOTOS / "coffee.png", tmp_path / "without-caption.png")
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    broken.with_suffix(".txt").write_text("a caption")
    told: list[str] = []

    found = encode_captioned(tmp_path, encoder, LIMITS, told.append)

    uris = [{source.uri for source in point.payload.sources.values()} for point in found.points]
    assert uris == [{path.resolve().as_uri() for path in cats}, {rocket.resolve().as_uri()}]
    images = [
        open_picture(path.read_bytes(), LIMITS, encoder.manifest.preprocessing.size).image
        for path in (cats[0], rocket)
    ]
    expected = encoder.encode_images(images)
    assert np.stack([point.vector for point in found.points]) == pytest.approx(expected, abs=1e-5)
    assert [line.split(":")[0] for line in found.left_out] == [str(broken)]
    assert told == ["2 of 3 pictures encoded"]


def test_a_folder_without_any_that_can_be_decoded_is_refused(tmp_path: Path, encoder: Encoder) -> None:
    (tmp_path / "broken.jpg").write_text("no picture")
    (tmp_path / "broken.txt").write_text("a caption")

    with pytest.raises(EvaluationError, match=r"None of the captioned pictures.*broken\.jpg"):
        encode_captioned(tmp_path, encoder, LIMITS)
