"""Every action with the keyboard alone."""

import re
from collections.abc import Callable
from typing import Any

import httpx
from photo_collection import Photos, name_of
from playwright.sync_api import Locator, expect
from visit import Visit

STOPS = 60
"""The most tab stops that a way through the page may have."""


def tab_to(visit: Visit, target: Locator) -> None:
    """Press Tab until something has the focus."""
    for _ in range(STOPS):
        if target.evaluate("element => element === document.activeElement"):
            return
        visit.page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {target}")


def press(visit: Visit, *keys: str) -> None:
    for key in keys:
        visit.page.keyboard.press(key)


def write(visit: Visit, text: str) -> None:
    """Write a search from wherever the focus is, and go to the wall."""
    press(visit, "/")
    expect(visit.box).to_be_focused()
    visit.page.keyboard.type(text)
    press(visit, "Enter")


def go_to_tile(visit: Visit, name: str) -> None:
    """Go to a picture on the wall by its arrows."""
    tab_to(visit, visit.wall.locator("a[tabindex='0']"))
    press(visit, "Home")
    for _ in range(STOPS):
        if visit.tile(name).evaluate("tile => tile === document.activeElement"):
            return
        press(visit, "ArrowRight")
    raise AssertionError(f"arrows do not reach {name}")


def test_search_open_and_go_on(opened: Callable[..., Visit], photos: Photos) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    write(visit, "a cat")
    visit.shows("chelsea.png")

    go_to_tile(visit, "chelsea.png")
    press(visit, "Enter")
    expect(visit.picture.get_by_role("heading", name="chelsea.png")).to_be_visible()
    second = visit.names()[1]
    press(visit, "ArrowRight")
    expect(visit.picture.get_by_role("heading", name=second)).to_be_visible()
    press(visit, "ArrowLeft", "Escape")
    expect(visit.picture).to_be_hidden()
    expect(visit.tile("chelsea.png")).to_be_focused()


def test_arrows_walk_the_wall(opened: Callable[..., Visit], photos: Photos) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    expect(visit.wall.locator("a[tabindex='0']")).to_have_count(1)
    tab_to(visit, visit.tiles.first)

    press(visit, "ArrowRight")
    expect(visit.tiles.nth(1)).to_be_focused()
    press(visit, "ArrowDown")
    below = visit.page.evaluate("() => document.activeElement.getBoundingClientRect().top")
    beside = visit.tiles.nth(1).bounding_box()
    assert beside is not None
    assert below > beside["y"]
    press(visit, "ArrowUp")
    expect(visit.tiles.nth(1)).to_be_focused()
    press(visit, "End")
    expect(visit.tiles.last).to_be_focused()
    press(visit, "Home")
    expect(visit.tiles.first).to_be_focused()
    expect(visit.wall.locator("a[tabindex='0']")).to_have_count(1)


def test_a_picture_is_chosen_and_combined_with_words(opened: Callable[..., Visit], photos: Photos) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    tab_to(visit, visit.button("Search by a picture"))
    with visit.page.expect_file_chooser() as chooser:
        press(visit, "Enter")
    chooser.value.set_files(photos.folder / "coffee.png")
    visit.shows("coffee.png")

    write(visit, "a cat")
    expect(visit.chips).to_have_count(2)
    tab_to(visit, visit.button("Turn picture round"))
    press(visit, "Enter")
    visit.shows("chelsea.png")
    tab_to(visit, visit.button("Remove picture"))
    press(visit, "Enter")
    expect(visit.chips).to_have_count(0)


def test_more_less_and_back(opened: Callable[..., Visit], photos: Photos) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    go_to_tile(visit, "moon.png")
    press(visit, "Enter")
    expect(visit.picture.get_by_role("heading", name="moon.png")).to_be_visible()
    press(visit, "m")
    expect(visit.chips).to_have_count(1)
    expect(visit.tile("moon.png")).to_have_count(0)

    go_to_tile(visit, "camera.png")
    press(visit, "Enter")
    expect(visit.picture.get_by_role("heading", name="camera.png")).to_be_visible()
    press(visit, "l")
    expect(visit.chips).to_have_count(2)
    assert "unlike=" in visit.page.url

    visit.page.go_back()  # What Alt and the left arrow do, which no page sees.
    expect(visit.picture).to_be_visible()
    press(visit, "Escape")
    expect(visit.chips).to_have_count(1)


def test_filter(opened: Callable[..., Visit], photos: Photos) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    press(visit, "f")
    box = visit.filter.get_by_role("checkbox", name=re.compile(r"^space \d"))
    expect(box).to_be_visible()
    tab_to(visit, box)
    press(visit, "Space")
    expect(visit.tiles).to_have_count(4)
    expect(box).to_be_focused()
    tab_to(visit, visit.button("Clear the filter"))
    press(visit, "Enter")
    expect(visit.tiles).to_have_count(photos.count)


def test_search_inside(opened: Callable[..., Visit], photos: Photos) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    go_to_tile(visit, "chelsea.png")
    press(visit, "Enter")
    expect(visit.picture).to_be_visible()
    press(visit, "i")
    part = visit.picture.get_by_role("group", name="Part to search for")
    expect(part).to_be_visible()
    press(visit, *["ArrowLeft"] * 3, *["Shift+ArrowRight"] * 2, "Enter")

    expect(visit.button("Remove part of a picture")).to_be_visible()
    left, top, right, bottom = (float(side) for side in visit.page.url.partition("%40")[2].split("%2C"))
    assert (left, top) < (0.25, 0.26)
    assert right - left > bottom - top


def test_escape_leaves_the_box_and_then_the_picture(opened: Callable[..., Visit], photos: Photos) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    go_to_tile(visit, "chelsea.png")
    press(visit, "Enter")
    expect(visit.picture).to_be_visible()
    press(visit, "i")
    part = visit.picture.get_by_role("group", name="Part to search for")
    expect(part).to_be_visible()
    press(visit, "Escape")
    expect(part).to_have_count(0)
    expect(visit.picture).to_be_visible()
    press(visit, "Escape")
    expect(visit.picture).to_be_hidden()


def test_add_watch_and_retry(opened: Callable[..., Visit], fill: Any, photos: Photos) -> None:
    visit = opened(f"/?collection={fill('moon.png')}")
    expect(visit.tiles).to_have_count(1)
    press(visit, "a")
    dialog = visit.page.get_by_role("dialog", name="Add pictures")
    files = dialog.locator("#add-files")
    tab_to(visit, files)
    with visit.page.expect_file_chooser() as chooser:
        press(visit, "Space")
    broken = {"name": "text.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    chooser.value.set_files([broken])
    tab_to(visit, visit.button("Add", within=dialog))
    job = visit.job_of(lambda: press(visit, "Enter"))

    expect(visit.jobs).to_be_visible()
    expect(job).to_contain_text("1 failed")
    tab_to(visit, visit.button("Retry not_an_image", within=job))
    expect(visit.job_of(lambda: press(visit, "Enter"))).to_contain_text("1 failed")


def test_tag(opened: Callable[..., Visit], fill: Any) -> None:
    collection = fill("moon.png", "coffee.png")
    visit = opened(f"/?collection={collection}")
    go_to_tile(visit, "moon.png")
    press(visit, "Enter")
    expect(visit.picture.get_by_role("heading", name="moon.png")).to_be_visible()
    press(visit, "t")
    visit.page.keyboard.type("night")
    press(visit, "Enter")
    expect(visit.button("Remove tag night")).to_be_visible()
    tab_to(visit, visit.button("Remove tag night"))
    press(visit, "Enter")
    expect(visit.button("Remove tag night")).to_have_count(0)

    # The focus is not lost with the button that had it.
    field = visit.picture.get_by_role("textbox", name="Add a tag")
    expect(field).to_be_focused()
    visit.page.keyboard.type("dark")
    press(visit, "Enter")
    expect(visit.button("Remove tag dark")).to_be_visible()


def test_delete_and_undo(opened: Callable[..., Visit], fill: Any, api: httpx.Client) -> None:
    collection = fill("moon.png", "coffee.png")
    visit = opened("/web/icon.svg")
    visit.page.clock.install()
    visit.open(f"/?collection={collection}")
    go_to_tile(visit, "moon.png")
    press(visit, "Enter")
    expect(visit.picture.get_by_role("heading", name="moon.png")).to_be_visible()
    # The way to Undo is not to be a race against the deletion.
    visit.stop_clock()
    press(visit, "Delete")
    expect(visit.toast).to_contain_text("1 picture will be deleted")
    tab_to(visit, visit.button("Undo", within=visit.toast))
    press(visit, "Enter")
    expect(visit.toast).not_to_contain_text("will be deleted")

    # The focus is not lost with the button that had it, though the page below takes none.
    expect(visit.picture.locator(":focus")).to_have_count(1)
    assert visit.record.sent("DELETE", "/") == []
    items = api.get("/v1/images", params={"collection": collection}).json()["items"]
    assert {name_of(item) for item in items} == {"moon.png", "coffee.png"}


def test_the_keys_are_listed(opened: Callable[..., Visit]) -> None:
    visit = opened()
    expect(visit.tiles.first).to_be_visible()
    press(visit, "?")
    dialog = visit.page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    press(visit, "Escape")
    expect(dialog).to_be_hidden()
    press(visit, "j")
    expect(visit.jobs).to_be_visible()


def test_letters_in_the_search_box_are_letters(opened: Callable[..., Visit], photos: Photos) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    write(visit, "fajl?")

    expect(visit.box).to_have_value("fajl?")
    expect(visit.filter).to_have_count(0)
    expect(visit.jobs).to_have_count(0)
