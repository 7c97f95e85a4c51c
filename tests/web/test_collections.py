"""The choice among collections."""

from collections.abc import Callable

import pytest
from photo_collection import Photos
from playwright.sync_api import Locator, expect
from visit import Visit

NAMES = ("chelsea.png", "coffee.png", "moon.png")


@pytest.fixture
def collection(fill: Callable[..., str]) -> str:
    return fill(*NAMES)


def choice(visit: Visit) -> Locator:
    return visit.page.get_by_role("combobox", name="Collection")


def test_a_collection_is_chosen_and_kept_in_the_address(
    opened: Callable[..., Visit], collection: str, photos: Photos
) -> None:
    visit = opened('/?filter={"all":[{"field":"tags","any":["space"]}]}')
    expect(visit.tiles).to_have_count(4)
    expect(choice(visit)).to_have_value("images")
    choice(visit).select_option(collection)
    visit.shows_only("moon.png", "coffee.png", "chelsea.png")
    expect(visit.page).to_have_url(f"{visit.record.origin}/?collection={collection}")

    visit.search("a cat")
    visit.shows("chelsea.png")
    expect(visit.tiles).to_have_count(len(NAMES))
    visit.page.get_by_role("link", name="Duplicates").click()
    expect(choice(visit)).to_have_value(collection)
    for _ in range(3):
        visit.page.go_back()
    expect(choice(visit)).to_have_value("images")
    expect(visit.tiles).to_have_count(4)
    choice(visit).select_option(collection)
    choice(visit).select_option("images")
    expect(visit.tiles).to_have_count(photos.count)
    expect(visit.page).to_have_url(f"{visit.record.origin}/")


def test_a_collection_is_chosen_with_the_keyboard(
    opened: Callable[..., Visit], collection: str, photos: Photos
) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    expect(choice(visit)).to_be_visible()  # It comes when the collections are known, after the pictures.
    for key in ("Tab", "Tab", "Tab"):
        visit.page.keyboard.press(key)
    expect(choice(visit)).to_be_focused()
    visit.page.keyboard.type(collection)

    visit.shows_only("moon.png", "coffee.png", "chelsea.png")
    expect(choice(visit)).to_be_focused()


def test_a_query_by_a_picture_of_one_collection_does_not_go_along(
    opened: Callable[..., Visit], collection: str
) -> None:
    visit = opened(f"/?collection={collection}")
    visit.button("More like this", within=visit.open_picture("moon.png")).click()
    expect(visit.chips).to_have_count(1)
    choice(visit).select_option("images")

    expect(visit.chips).to_have_count(0)
    expect(visit.tile("moon.png")).to_be_visible()
