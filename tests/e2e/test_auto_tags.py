"""Pictures are tagged as they come in, and found by those tags."""

import json
import shutil
from pathlib import Path
from typing import Any

SHOWN = {"chelsea.png": ["a cat"], "coffee.png": ["a cup of coffee"], "brick.png": []}
LABELS = ["a dog", "a cat", "a castle", "a cup of coffee", "a guitar", "a horse"]


def name_of(image: Any) -> str:
    return Path(image["sources"][0]["uri"]).name


def test_pictures_are_tagged_as_they_come_in(run_stack: Any, tmp_path: Path, photo_folder: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in SHOWN:
        shutil.copy(photo_folder / name, photos)
    environment = {"SIGHTLINE_AUTO_TAGS": json.dumps(LABELS)}
    with run_stack(tmp_path / "data", photos, environment=environment) as stack:
        stack.ended_job(stack.ingest(photos, tags=["mine"]), within_s=60)
        api = stack.api

        images = api.get("/v1/images").json()["items"]
        filter = json.dumps({"field": "auto_tags", "any": ["a cat", "a dog"]})
        cats = api.get("/v1/images", params={"filter": filter}).json()["items"]
        counts = api.get("/v1/facets", params={"field": "auto_tags"}).json()["values"]

    assert {name_of(image): image["auto_tags"] for image in images} == SHOWN
    assert all(image["tags"] == ["mine"] for image in images)
    assert [name_of(image) for image in cats] == ["chelsea.png"]
    assert counts == [{"value": "a cat", "count": 1}, {"value": "a cup of coffee", "count": 1}]
