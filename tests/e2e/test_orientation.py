"""A phone stores photos turned, with a tag that says so: people see them upright, and so does the search."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

TURNS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
PHOTOS = ("rocket.jpg", "coffee.png", "motorcycle_left.png")


@pytest.fixture(scope="module")
def stack(run_stack: Any, tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> Iterator[Any]:
    """Each photo upright, turned with a tag, and, as a control, turned without one."""
    pictures = tmp_path_factory.mktemp("turned")
    for name in PHOTOS:
        upright = Image.open(photo_folder / name).convert("RGB")
        upright.save(pictures / f"upright-{name}.png")
        for tag, turn in TURNS.items():
            exif = Image.Exif()
            exif[0x0112] = tag
            upright.transpose(turn).save(pictures / f"{tag}-{name}.png", exif=exif)
            upright.transpose(turn).save(pictures / f"untagged{tag}-{name}.png")
    with run_stack(tmp_path_factory.mktemp("data"), pictures) as stack:
        job = stack.ended_job(stack.ingest(pictures), within_s=60)
        assert job["state"] == "succeeded"
        yield stack


def images_of(stack: Any) -> dict[str, Any]:
    items = stack.api.get("/v1/images", params={"limit": 200}).json()["items"]
    return {Path(item["sources"][0]["uri"]).name: item for item in items}


@pytest.mark.parametrize("tag", TURNS)
@pytest.mark.parametrize("name", PHOTOS)
def test_a_turned_photo_has_the_vector_of_its_upright_twin(stack: Any, name: str, tag: int) -> None:
    upright = images_of(stack)[f"upright-{name}.png"]
    hits = stack.api.get(f"/v1/images/{upright['id']}/similar", params={"limit": 200}).json()["hits"]
    scores = {Path(hit["image"]["sources"][0]["uri"]).name: hit["score"] for hit in hits}

    assert scores[f"{tag}-{name}.png"] >= 0.999
    assert scores[f"untagged{tag}-{name}.png"] < 0.999


@pytest.mark.parametrize("tag", TURNS)
def test_its_thumbnail_stands_upright(stack: Any, tag: int) -> None:
    images = images_of(stack)
    upright, turned = (images[f"{prefix}-rocket.jpg.png"] for prefix in ("upright", tag))

    assert (turned["width"], turned["height"]) == (upright["width"], upright["height"])
    pixels = [
        np.asarray(Image.open(BytesIO(stack.api.get(one["thumbnail_url"]).content)), dtype=int)
        for one in (upright, turned)
    ]
    assert np.abs(pixels[0] - pixels[1]).mean() < 1
