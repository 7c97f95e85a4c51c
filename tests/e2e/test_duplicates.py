"""Duplicates among real photos and altered copies of them: what a scan finds, and what a search hides."""

import os
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageEnhance, ImageOps

ROOT = Path(__file__).resolve().parents[2]
LONG = os.environ.get("SIGHTLINE_TEST_LONG") == "1"
ALTERATIONS = ("resized", "recompressed", "cropped", "brightened", "mirrored")
LOOK_THE_SAME = ("original", *ALTERATIONS[:3])
SIDE = 640
SEEN_TWICE = {"motorcycle_right", "chessboard_RGB"}


def altered(photo: Image.Image, alteration: str) -> tuple[Image.Image, int]:
    """A copy, and the quality that it is saved in."""
    width, height = photo.size
    match alteration:
        case "resized":
            return photo.resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.LANCZOS), 90
        case "recompressed":
            return photo, 40
        case "cropped":
            x, y = round(width * 0.025), round(height * 0.025)
            return photo.crop((x, y, width - x, height - y)), 90
        case "brightened":
            return ImageEnhance.Brightness(photo).enhance(1.25), 90
        case "mirrored":
            return ImageOps.mirror(photo), 90
    return photo, 95


def photos(folder: Path) -> Iterator[Image.Image]:
    """Photos of different things: the samples, or with the long versions 500 of two captioned sets."""
    if not LONG:
        names = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
        for name in names:
            with Image.open(name) as photo:
                if min(photo.size) >= 200 and name.stem not in SEEN_TWICE:
                    yield photo.convert("RGB")
        return
    from bench.captioned import gcompris, stamps

    for number, one in enumerate([*gcompris(ROOT / ".cache/captioned"), *stamps(ROOT / ".cache/captioned")]):
        # Three of the photos are in the sets twice.
        if number not in (200, 228, 185) and number < 503:
            one.picture.thumbnail((SIDE, SIDE))
            yield one.picture


@pytest.fixture(scope="module")
def api(run_tiny_stack: Any, tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("copies")
    for number, photo in enumerate(photos(photo_folder)):
        for alteration in ("original", *ALTERATIONS):
            copy, quality = altered(photo, alteration)
            copy.save(folder / f"{number:03}-{alteration}.jpg", quality=quality)
    with run_tiny_stack(tmp_path_factory.mktemp("data"), folder) as stack:
        job = stack.ended_job(stack.ingest(folder), within_s=400)
        assert job["state"] == "succeeded"
        assert job["counts"]["indexed"] == len(list(folder.iterdir()))
        yield stack


def name_of(image: Any) -> str:
    return Path(image["sources"][0]["uri"]).stem


def scan(stack: Any, **asked: Any) -> Any:
    answer = stack.api.post("/v1/duplicates/scan", json=asked)
    assert answer.status_code == 202, answer.text
    return stack.ended_job(answer.json()["id"], within_s=100)


def groups(api: httpx.Client, kind: str) -> list[list[str]]:
    """All groups, by the names of their pictures."""
    found: list[list[str]] = []
    cursor = None
    while True:
        parameters = {"kind": kind, "limit": 7} | ({"cursor": cursor} if cursor else {})
        page = api.get("/v1/duplicates", params=parameters).json()
        found += [[name_of(image) for image in group["images"]] for group in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            assert len(found) == page["groups_found"]
            return found


def test_copies_of_a_photo_are_found_and_other_photos_are_not(
    api: Any,
) -> None:
    assert api.api.get("/v1/duplicates").json()["computed_at"] is None
    pictures = api.api.get("/v1/stats").json()["collections"][0]["points"]

    job = scan(api)

    assert (job["kind"], job["state"], job["counts"]["unchanged"]) == ("duplicates", "succeeded", pictures)
    together = {pair for group in groups(api.api, "perceptual") for pair in combinations(sorted(group), 2)}
    same_photo = {pair for pair in together if pair[0].split("-")[0] == pair[1].split("-")[0]}
    originals = pictures // (1 + len(ALTERATIONS))
    wanted = {
        tuple(sorted((f"{number:03}-original", f"{number:03}-{alteration}")))
        for number in range(originals)
        for alteration in ALTERATIONS[:3]
    }
    precision, recall = len(same_photo) / len(together), len(wanted & together) / len(wanted)
    assert precision >= 0.98
    assert recall >= 0.9


def test_files_of_the_same_bytes_are_one_picture(api: Any) -> None:
    (original,) = api.api.get("/v1/images", params={"limit": 1}).json()["items"]
    first = Path(original["sources"][0]["uri"].removeprefix("file://"))
    again = first.with_name("again.jpg")
    again.write_bytes(first.read_bytes())
    api.ended_job(api.ingest(first.parent), within_s=400)

    scan(api)
    (group,) = api.api.get("/v1/duplicates", params={"kind": "exact"}).json()["items"]

    assert [image["id"] for image in group["images"]] == [original["id"]]
    files = {Path(source["uri"]).name for source in group["images"][0]["sources"]}
    assert files == {first.name, again.name}
    again.unlink()


def test_the_picture_of_most_pixels_comes_first(api: Any) -> None:
    scan(api)
    page = api.api.get("/v1/duplicates", params={"limit": 100}).json()

    for group in page["items"]:
        sizes = [image["width"] * image["height"] for image in group["images"]]
        assert sizes == sorted(sizes, reverse=True)
        assert group["size"] == len(sizes)
    assert page["computed_at"] is not None


def test_a_stricter_scan_finds_less(api: Any) -> None:
    scan(api)
    usual = groups(api.api, "perceptual")
    scan(api, perceptual_bits=0, semantic_cosine=1.0)
    strict = groups(api.api, "perceptual")

    assert sum(map(len, strict)) < sum(map(len, usual))
    assert api.api.post("/v1/duplicates/scan", json={"perceptual_bits": 97}).status_code == 422


def test_a_search_shows_the_best_of_each_group(api: Any) -> None:
    first = api.api.get("/v1/images", params={"limit": 1}).json()["items"][0]
    query = {"query": [{"image_id": first["id"]}], "limit": 50}

    plain = api.api.post("/v1/search", json=query).json()["hits"]
    collapsed = api.api.post("/v1/search", json=query | {"collapse": "perceptual"}).json()["hits"]

    assert {hit["hidden"] for hit in plain} == {0}
    assert collapsed[0]["image"]["id"] == plain[0]["image"]["id"]
    numbers = [
        name_of(hit["image"]).split("-")[0]
        for hit in collapsed
        if name_of(hit["image"]).split("-")[1] in LOOK_THE_SAME
    ]
    repeated = len(numbers) - len(set(numbers))
    assert repeated <= 0.1 * len(set(numbers)) * len(ALTERATIONS[:3])
    assert sum(hit["hidden"] for hit in collapsed) > len(collapsed)
    scores = [hit["score"] for hit in collapsed]
    assert scores == sorted(scores, reverse=True)


def test_groups_without_what_was_deleted(api: Any) -> None:
    scan(api)
    group = api.api.get("/v1/duplicates", params={"limit": 1}).json()["items"][0]
    for image in group["images"][1:]:
        api.api.delete(f"/v1/images/{image['id']}").raise_for_status()

    page = api.api.get("/v1/duplicates", params={"limit": 1}).json()

    assert all(one["images"][0]["id"] != group["images"][0]["id"] for one in page["items"])
