"""Searches that people steer: by a box of a picture, by several parts, and with each part explained."""

import base64
from collections.abc import Iterator
from io import BytesIO
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

OBJECTS = ("chelsea.png", "coffee.png", "rocket.jpg", "astronaut.png", "motorcycle_left.png")
PAIRS = list(combinations(OBJECTS, 2))
SIDE = 360
"""Pixels of each of the two pictures that are pasted side by side."""


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> Path:
    """Every two of the objects side by side, beside the objects themselves."""
    folder = tmp_path_factory.mktemp("pairs")
    squares = {}
    for name in OBJECTS:
        with Image.open(photo_folder / name) as photo:
            squares[name] = photo.convert("RGB").resize((SIDE, SIDE))
        squares[name].save(folder / f"{Path(name).stem}.png")
    for left, right in PAIRS:
        both = Image.new("RGB", (2 * SIDE, SIDE))
        both.paste(squares[left], (0, 0))
        both.paste(squares[right], (SIDE, 0))
        both.save(folder / pair_name(left, right))
    return folder


@pytest.fixture(scope="module")
def api(run_stack: Any, tmp_path_factory: pytest.TempPathFactory, pairs: Path) -> Iterator[httpx.Client]:
    with run_stack(tmp_path_factory.mktemp("data"), pairs) as stack:
        job = stack.ended_job(stack.ingest(pairs), within_s=60)
        assert job["counts"]["indexed"] == len(OBJECTS) + len(PAIRS)
        yield stack.api


@pytest.fixture(scope="module")
def ids(api: httpx.Client) -> dict[str, str]:
    items = api.get("/v1/images", params={"limit": 200}).json()["items"]
    return {name_of(item): item["id"] for item in items}


def pair_name(left: str, right: str) -> str:
    return f"{Path(left).stem}-and-{Path(right).stem}.png"


def name_of(image: Any) -> str:
    return Path(image["sources"][0]["uri"]).name


def search(api: httpx.Client, *parts: Any, **more: Any) -> Any:
    answer = api.post("/v1/search", json={"query": list(parts), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def alone(hits: Any) -> list[str]:
    """The names of hits that show one object, best first."""
    names = [name_of(hit["image"]) for hit in hits]
    return [name for name in names if "-and-" not in name]


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_a_box_finds_what_is_inside_of_it(
    api: httpx.Client, ids: dict[str, str], pairs: Path, left: str, right: str
) -> None:
    name = pair_name(left, right)
    data = base64.b64encode((pairs / name).read_bytes()).decode()
    for shown, box in ((left, [0, 0, 0.5, 1]), (right, [0.5, 0, 1, 1])):
        for part in ({"image_id": ids[name]}, {"image_base64": data}):
            found = search(api, part | {"box": box})
            assert alone(found["hits"])[0] == f"{Path(shown).stem}.png"
            assert found["warnings"] == []


def test_a_box_of_a_picture_whose_file_is_gone_is_cut_from_its_thumbnail(
    api: httpx.Client, pairs: Path, ids: dict[str, str]
) -> None:
    name = pair_name("chelsea.png", "rocket.jpg")
    kept = (pairs / name).read_bytes()
    (pairs / name).unlink()
    try:
        found = search(api, {"image_id": ids[name], "box": [0, 0, 0.5, 1]})
    finally:
        (pairs / name).write_bytes(kept)

    assert alone(found["hits"])[0] == "chelsea.png"
    assert [warning["code"] for warning in found["warnings"]] == ["box_from_thumbnail"]


@pytest.mark.parametrize("box", [[0.5, 0, 0.5, 1], [0, 0, 2, 1], [0, 0, 1], "left", [0, 0, 1, None], {}])
def test_what_is_no_box_is_refused(api: httpx.Client, ids: dict[str, str], box: Any) -> None:
    part = {"image_id": ids["chelsea.png"], "box": box}
    answer = api.post("/v1/search", json={"query": [part]})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "box" in answer.text


def test_contributions_explain_each_score(api: httpx.Client, ids: dict[str, str]) -> None:
    out = BytesIO()
    Image.new("RGB", (64, 64), "navy").save(out, "PNG")
    parts = [
        {"text": "a cat"},
        {"text": "a rocket", "weight": -0.5},
        {"image_id": ids["coffee.png"], "weight": 0.7},
        {"image_base64": base64.b64encode(out.getvalue()).decode(), "weight": 0.2},
    ]

    hits = search(api, *parts, explain=True)["hits"]

    assert len(hits) == len(OBJECTS) + len(PAIRS) - 1
    for hit in hits:
        assert [part["weight"] for part in hit["parts"]] == pytest.approx([1, -0.5, 0.7, 0.2])
        added = sum(part["contribution"] for part in hit["parts"])
        assert added == pytest.approx(hit["score"], abs=1e-4)
    cat = next(hit for hit in hits if name_of(hit["image"]) == "chelsea.png")
    assert cat["parts"][0]["score"] > cat["parts"][1]["score"]
    assert search(api, *parts)["hits"][0]["parts"] is None


def test_facets_count_what_a_filter_leaves(api: httpx.Client) -> None:
    found = api.get("/v1/facets", params={"field": "width"}).json()
    assert found == {
        "field": "width",
        "values": [{"value": 2 * SIDE, "count": len(PAIRS)}, {"value": SIDE, "count": len(OBJECTS)}],
        "more": False,
    }
    square = '{"field": "width", "lte": 400}'
    left = api.get("/v1/facets", params={"field": "width", "filter": square, "limit": 1}).json()
    assert left["values"] == [{"value": SIDE, "count": len(OBJECTS)}]

    refused = api.get("/v1/facets", params={"field": "taken_at"})
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_request")
    refused = api.get("/v1/facets", params={"field": "metadata.nothing"})
    assert (refused.status_code, refused.json()["code"]) == (422, "field_not_indexed")


TEXTS = {
    "chelsea.png": "a cat",
    "coffee.png": "a cup of coffee",
    "rocket.jpg": "a rocket",
    "astronaut.png": "an astronaut",
    "motorcycle_left.png": "a motorcycle",
}


def test_words_with_a_weight_move_their_pictures(api: httpx.Client) -> None:
    def mean_rank(shown: str, asked: str, *more: Any) -> float:
        """Of the pictures that show one thing and not the other."""
        names = [name_of(hit["image"]) for hit in search(api, {"text": TEXTS[asked]}, *more)["hits"]]
        ranks = [
            rank
            for rank, name in enumerate(names, 1)
            if Path(shown).stem in name and Path(asked).stem not in name
        ]
        assert len(ranks) == len(OBJECTS) - 1
        return sum(ranks) / len(ranks)

    pairs = list(permutations(OBJECTS, 2))
    assert len(pairs) == 20
    before = [mean_rank(shown, asked) for asked, shown in pairs]
    without = [mean_rank(shown, asked, {"text": TEXTS[shown], "weight": -0.5}) for asked, shown in pairs]
    more = [mean_rank(shown, asked, {"text": TEXTS[shown], "weight": 0.5}) for asked, shown in pairs]

    # Pictures that are last already cannot fall, nor first ones rise.
    assert sum(after < rank for after, rank in zip(without, before, strict=True)) <= 1, (before, without)
    assert sum(after > rank for after, rank in zip(more, before, strict=True)) <= 1, (before, more)
    assert sum(more) / 20 + 2 < sum(before) / 20 < sum(without) / 20 - 1, (more, before, without)


def test_the_best_score_finds_what_is_like_any_of_the_parts(api: httpx.Client) -> None:
    parts = [{"text": TEXTS[name]} for name in ("chelsea.png", "rocket.jpg")]
    found = search(api, *parts, strategy="best_score", explain=True)

    assert set(alone(found["hits"])[:2]) == {"chelsea.png", "rocket.png"}
    assert not found["no_good_match"]
    for hit in found["hits"]:
        added = [part["contribution"] for part in hit["parts"]]
        assert sum(added) == pytest.approx(hit["score"], abs=1e-4)
        assert sum(part != 0 for part in added) == 1

    refused = api.post("/v1/search", json={"query": [{"text": "a", "weight": -1}], "strategy": "best_score"})
    assert refused.status_code == 422


def test_diversity_shows_different_pictures_first(api: httpx.Client) -> None:
    def shown(diversity: float) -> list[str]:
        found = search(api, {"text": "a cat"}, diversity=diversity, limit=4)
        return [name_of(hit["image"]) for hit in found["hits"]]

    assert all("chelsea" in name for name in shown(0))
    assert "chelsea" in shown(0.9)[0]
    assert sum("chelsea" in name for name in shown(0.9)) < 4


def test_a_picture_is_classified_by_labels(api: httpx.Client, ids: dict[str, str], pairs: Path) -> None:
    labels = list(TEXTS.values())
    for name, text in TEXTS.items():
        if name == "astronaut.png":  # whom this model takes for a motorcyclist
            continue
        stored = f"{Path(name).stem}.png"
        data = base64.b64encode((pairs / stored).read_bytes()).decode()
        for picture in ({"image_id": ids[stored]}, {"image_base64": data}):
            answer = api.post("/v1/classify", json={**picture, "labels": labels, "template": "{}"})
            assert answer.status_code == 200, answer.text
            found = answer.json()["labels"]
            assert found[0]["label"] == text
            assert sum(one["probability"] for one in found) == pytest.approx(1)
            cosines = [one["cosine"] for one in found]
            assert cosines == sorted(cosines, reverse=True)


@pytest.mark.parametrize(
    "body",
    [
        {"labels": ["a cat"]},
        {"labels": [], "image_id": "00000000-0000-4000-8000-000000000000"},
        {"labels": ["a"], "template": "no place", "image_id": "00000000-0000-4000-8000-000000000000"},
    ],
)
def test_what_cannot_be_classified_is_refused(api: httpx.Client, body: Any) -> None:
    assert api.post("/v1/classify", json=body).json()["code"] == "validation_failed"


def test_a_picture_that_is_not_there_cannot_be_classified(api: httpx.Client) -> None:
    body = {"labels": ["a cat"], "image_id": "00000000-0000-4000-8000-000000000000"}
    assert api.post("/v1/classify", json=body).json()["code"] == "image_not_found"
