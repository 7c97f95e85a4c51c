"""Searches on the page: by words, by pictures of every origin, by both, and what their addresses keep."""

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from handed_files import HandedFile, drag, drop, paste
from photo_collection import Photos, name_of
from PIL import Image
from playwright.sync_api import Route, expect
from visit import Visit

SIDE = 360


@pytest.fixture
def cat(photos: Photos) -> HandedFile:
    """A part of the photo of a cat, as a file that nobody has indexed."""
    out = BytesIO()
    with Image.open(photos.folder / "chelsea.png") as photo:
        photo.convert("RGB").crop((20, 0, 420, 300)).save(out, "PNG")
    return HandedFile("my cat.png", out.getvalue())


@pytest.fixture(scope="module")
def pairs(sightline: Any, photos: Photos) -> str:
    """A collection of three photos, and of two of them side by side."""
    folder = photos.folder.parent / "pairs"
    folder.mkdir()
    squares = []
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        with Image.open(photos.folder / name) as photo:
            squares.append(photo.convert("RGB").resize((SIDE, SIDE)))
        squares[-1].save(folder / Path(name).with_suffix(".png"))
    both = Image.new("RGB", (2 * SIDE, SIDE))
    both.paste(squares[0], (0, 0))
    both.paste(squares[1], (SIDE, 0))
    both.save(folder / "cat-and-coffee.png")
    job = sightline.ended_job(sightline.ingest(folder, collection="pairs"), within_s=60)
    assert job["counts"]["indexed"] == 4
    return "pairs"


def found(api: httpx.Client, *parts: Any, **more: Any) -> list[str]:
    """The names of the files that the API finds, best first."""
    answer = api.post("/v1/search", json={"query": list(parts), "limit": 100, **more})
    assert answer.status_code == 200, answer.text
    return [name_of(hit["image"]) for hit in answer.json()["hits"]]


def id_of(api: httpx.Client, name: str, collection: str = "images") -> str:
    items = api.get("/v1/images", params={"limit": 200, "collection": collection}).json()["items"]
    return next(str(item["id"]) for item in items if name_of(item) == name)


def asked(visit: Visit) -> dict[str, list[str]]:
    """The query of the page's address."""
    return parse_qs(urlsplit(visit.page.url).query)


def test_words_find_what_the_api_finds(
    opened: Callable[..., Visit], api: httpx.Client, photos: Photos
) -> None:
    visit = opened()
    visit.search("a cat")

    visit.shows_only(*found(api, {"text": "a cat"}))
    expect(visit.status).to_have_text(f"{photos.count} pictures")
    expect(visit.tiles.first).to_have_accessible_name(re.compile(r"^chelsea\.png, relevance \d\d\s?%$"))
    expect(visit.chips).to_have_count(0)
    assert asked(visit) == {"q": ["a cat"]}


def test_results_come_as_the_writer_pauses(
    opened: Callable[..., Visit], api: httpx.Client, photos: Photos
) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    visit.box.press_sequentially("a cat")
    visit.shows_only(*found(api, {"text": "a cat"}))
    visit.box.press_sequentially(" and a rocket")
    visit.shows_only(*found(api, {"text": "a cat and a rocket"}))

    visit.page.go_back()  # Past every text in between.
    expect(visit.box).to_have_value("")
    expect(visit.page).to_have_url(f"{visit.record.origin}/")


def test_a_dropped_picture_is_searched_by(opened: Callable[..., Visit], cat: HandedFile) -> None:
    visit = opened()
    dragged = drag(visit.page.locator("body"), [cat])
    drop(visit.page.get_by_text("Search with it"), dragged)

    visit.shows("chelsea.png")
    expect(visit.chips).to_have_count(1)
    expect(visit.button("Remove picture")).to_be_visible()


def test_a_pasted_picture_is_searched_by(opened: Callable[..., Visit], cat: HandedFile) -> None:
    visit = opened()
    visit.box.focus()
    paste(visit.page, cat.data)

    visit.shows("chelsea.png")
    expect(visit.chips).to_have_count(1)


def test_a_chosen_picture_and_words_make_one_query(opened: Callable[..., Visit], cat: HandedFile) -> None:
    visit = opened()
    with visit.page.expect_file_chooser() as chooser:
        visit.button("Search by a picture").click()
    chooser.value.set_files({"name": cat.name, "mimeType": cat.type, "buffer": cat.data})
    visit.shows("chelsea.png")
    alone = visit.names()

    visit.search("a cup of coffee")
    expect(visit.chips).to_have_count(2)
    visit.shows("chelsea.png")
    expect(visit.tiles.nth(1)).to_have_accessible_name(re.compile("^coffee"))
    assert visit.names() != alone

    visit.button("Remove picture").click()
    visit.shows("coffee.png")
    expect(visit.chips).to_have_count(0)
    assert asked(visit) == {"q": ["a cup of coffee"]}


def test_a_picture_of_the_visitors_outlives_a_reload(opened: Callable[..., Visit], cat: HandedFile) -> None:
    visit = opened()
    file = {"name": cat.name, "mimeType": cat.type, "buffer": cat.data}
    visit.page.locator("#query-photo").set_input_files([file])
    visit.shows("chelsea.png")
    before = visit.names()

    visit.page.reload()

    visit.shows_only(*before)
    expect(visit.button("Remove picture")).to_be_visible()


def test_a_picture_of_another_visitors_is_said_to_be_missing(opened: Callable[..., Visit]) -> None:
    visit = opened("/?photo=0123456789abcdef")

    expect(visit.notice).to_contain_text("on another device")


def test_more_and_less_like_a_picture(opened: Callable[..., Visit], api: httpx.Client) -> None:
    moon, camera = id_of(api, "moon.png"), id_of(api, "camera.png")
    visit = opened()
    visit.button("More like this", within=visit.open_picture("moon.png")).click()
    expect(visit.picture).to_be_hidden()
    visit.shows(*found(api, {"image_id": moon})[:5])
    assert asked(visit) == {"like": [moon]}

    visit.button("Less like this", within=visit.open_picture("camera.png")).click()

    visit.shows(*found(api, {"image_id": moon}, {"image_id": camera, "weight": -0.5})[:5])
    assert asked(visit) == {"like": [moon], "unlike": [camera]}
    expect(visit.chips).to_have_count(2)
    visit.button("Turn picture round", within=visit.chips.last).click()
    visit.shows(*found(api, {"image_id": moon}, {"image_id": camera})[:5])


def test_the_parts_of_a_text_are_chips(opened: Callable[..., Visit], api: httpx.Client) -> None:
    visit = opened()
    visit.search('a cat "a red mug" -rocket')
    visit.shows(*found(api, {"text": "a cat"}, {"text": "a red mug"}, {"text": "rocket", "weight": -0.5}))
    expect(visit.chips).to_have_count(3)

    visit.button("Turn a red mug round").click()
    expect(visit.box).to_have_value('a cat -"a red mug" -rocket')
    visit.shows(
        *found(
            api,
            *(
                {"text": text, "weight": weight}
                for text, weight in (("a cat", 1), ("a red mug", -0.5), ("rocket", -0.5))
            ),
        )
    )

    visit.button("Remove rocket").click()
    expect(visit.chips).to_have_count(2)
    visit.button("Remove a red mug").click()
    expect(visit.box).to_have_value("a cat")
    expect(visit.chips).to_have_count(0)
    visit.shows_only(*found(api, {"text": "a cat"}))


def test_a_box_finds_what_is_inside_of_it(opened: Callable[..., Visit], pairs: str) -> None:
    for left, name in ((0.02, "chelsea.png"), (0.52, "coffee.png")):
        visit = opened(f"/?collection={pairs}")
        dialog = visit.open_picture("cat-and-coffee.png")
        visit.button("Search inside", within=dialog).click()
        part = dialog.get_by_role("group", name="Part to search for")
        expect(part).to_be_visible()
        area = dialog.get_by_role("img", name="cat-and-coffee.png").bounding_box()
        assert area is not None
        mouse = visit.page.mouse
        mouse.move(area["x"] + left * area["width"], area["y"] + 0.03 * area["height"])
        mouse.down()
        mouse.move(area["x"] + (left + 0.46) * area["width"], area["y"] + 0.97 * area["height"], steps=4)
        mouse.up()
        visit.button("Search this part", within=dialog).click()

        visit.shows(name)
        (like,) = asked(visit)["like"]
        box = [float(side) for side in like.partition("@")[2].split(",")]
        assert box == pytest.approx([left, 0.03, left + 0.46, 0.97], abs=0.02)
        expect(visit.button("Remove part of a picture")).to_be_visible()


def test_an_address_shows_the_same_to_whoever_opens_it(
    opened: Callable[..., Visit], api: httpx.Client, photos: Photos
) -> None:
    visit = opened()
    visit.search("a cat -horse")
    visit.shows("chelsea.png")
    visit.button("More like this", within=visit.open_picture("coffee.png")).click()
    visit.shows_only(
        *found(
            api, {"text": "a cat"}, {"text": "horse", "weight": -0.5}, {"image_id": id_of(api, "coffee.png")}
        )
    )
    shared = visit.page.url

    other = opened(shared.removeprefix(visit.record.origin))

    other.shows_only(*visit.names())
    expect(other.box).to_have_value("a cat -horse")
    expect(other.chips).to_have_count(3)


def test_back_forward_and_reload(opened: Callable[..., Visit], api: httpx.Client, photos: Photos) -> None:
    cats, coffees = (found(api, {"text": text}) for text in ("a cat", "a cup of coffee"))
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    visit.search("a cat")
    visit.shows_only(*cats)
    visit.search("a cup of coffee")
    visit.shows_only(*coffees)
    visit.open_picture("coffee.png")

    visit.page.go_back()
    expect(visit.picture).to_be_hidden()
    visit.shows_only(*coffees)
    visit.page.go_back()
    visit.shows_only(*cats)
    expect(visit.box).to_have_value("a cat")
    visit.page.reload()
    visit.shows_only(*cats)
    visit.page.go_forward()
    visit.shows_only(*coffees)
    visit.page.go_forward()
    expect(visit.picture).to_be_visible()


def test_an_open_picture_is_in_the_address(opened: Callable[..., Visit], api: httpx.Client) -> None:
    coffee = id_of(api, "coffee.png")
    visit = opened(f"/?picture={coffee}")

    expect(visit.picture.get_by_role("heading", name="coffee.png")).to_be_visible()
    for known in ("600 × 400", "studio", "coffee.png"):
        expect(visit.picture.locator("dl")).to_contain_text(known)
    visit.button("Close", within=visit.picture).click()
    expect(visit.picture).to_be_hidden()
    expect(visit.page).to_have_url(f"{visit.record.origin}/")


def test_what_nothing_is_like_is_said(opened: Callable[..., Visit]) -> None:
    visit = opened()
    visit.search("a birthday cake")

    expect(visit.notice).to_contain_text("Nothing stands out")
    expect(visit.status).to_contain_text("Nothing stands out")
    visit.search("a cat")
    visit.shows("chelsea.png")
    expect(visit.notice).not_to_contain_text("Nothing stands out")


def test_a_later_search_wins_over_a_slow_one(opened: Callable[..., Visit], api: httpx.Client) -> None:
    visit = opened()
    held: list[Route] = []
    visit.page.route("**/v1/search", lambda route: held.append(route))
    for text in ("a cat", "a cup of coffee"):
        with visit.page.expect_request("**/v1/search"):
            visit.search(text)
        expect(visit.status).to_have_text("Searching…")

    slow, later = held
    later.continue_()
    visit.shows_only(*found(api, {"text": "a cup of coffee"}))
    slow.continue_()

    visit.button("Close", within=visit.open_picture("coffee.png")).click()
    visit.shows_only(*found(api, {"text": "a cup of coffee"}))


def test_a_filter_that_is_none_is_a_fault_that_is_said(opened: Callable[..., Visit]) -> None:
    visit = opened("/?q=a+cat&filter=%7Bbroken")

    expect(visit.notice).to_contain_text("filter")
    expect(visit.status).to_contain_text("filter")
    visit.open('/?filter={"field":"metadata.nothing","eq":1}')
    expect(visit.notice).to_contain_text("metadata.nothing")


def test_a_collection_without_pictures_says_what_to_do(
    opened: Callable[..., Visit], fill: Any, api: httpx.Client
) -> None:
    collection = fill("moon.png")
    api.delete(f"/v1/images/{id_of(api, 'moon.png', collection)}", params={"collection": collection})
    visit = opened(f"/?collection={collection}")

    expect(visit.tiles).to_have_count(0)
    expect(visit.notice).to_contain_text("No pictures yet")
    expect(visit.notice).to_contain_text("Drop files or folders here, or choose Add pictures above.")


def test_the_status_names_the_model_and_its_limits(opened: Callable[..., Visit], api: httpx.Client) -> None:
    notice = api.get("/v1/model").json()["notice"]
    visit = opened()
    visit.page.get_by_role("link", name="Status").click()

    expect(visit.page.get_by_role("heading", name="Status", exact=True)).to_be_visible()
    expect(visit.page.get_by_role("main")).to_contain_text(notice)
    expect(visit.page.get_by_role("main")).to_contain_text("starter")
