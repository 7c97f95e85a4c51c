"""What is written into the search box stays there and is searched, whatever else goes on meanwhile."""

import json
import re
from collections.abc import Callable

import httpx
import pytest
from photo_collection import Photos
from playwright.sync_api import Page, Route, expect
from visit import Visit

PAUSE_MS = 200
SSE = {"content_type": "text/event-stream"}


@pytest.fixture
def early(opened: Callable[..., Visit]) -> Visit:
    """A visit whose page is not open yet."""
    return opened("/web/icon.svg")


def hold(page: Page, pattern: str) -> list[Route]:
    """The requests to such an address, which wait from now on."""
    held: list[Route] = []
    page.route(pattern, lambda route: held.append(route))
    return held


def pause(visit: Visit) -> None:
    """Let the time go on for as long as a writer pauses."""
    visit.page.clock.run_for(PAUSE_MS)


def test_what_is_written_before_the_page_knows_the_collections_is_searched(early: Visit) -> None:
    early.page.clock.install()
    collections = hold(early.page, "**/v1/collections")
    with early.page.expect_request("**/v1/collections"):
        early.open()
    expect(early.tiles.first).to_be_visible()
    early.stop_clock()
    early.box.fill("a cat")

    collections[0].fulfill(json={"items": [{"name": "images"}, {"name": "others"}]})
    expect(early.page.get_by_role("combobox", name="Collection")).to_be_visible()
    expect(early.box).to_have_value("a cat")
    pause(early)

    early.shows("chelsea.png")
    expect(early.page).to_have_url(re.compile(r"/\?q=a\+cat$"))


def test_what_is_written_while_a_job_goes_on_is_searched(early: Visit, api: httpx.Client) -> None:
    job = api.get("/v1/jobs").json()["items"][0] | {"state": "running"}
    progress = json.dumps(job | {"state": "succeeded"})
    early.page.clock.install()
    early.page.route("**/v1/jobs?*", lambda route: route.fulfill(json={"items": [job], "next_cursor": None}))
    events = hold(early.page, "**/v1/jobs/*/events")
    with early.page.expect_request("**/v1/jobs/*/events"):
        early.open()
    expect(early.button("Jobs")).to_have_class(re.compile("marked"))
    early.stop_clock()
    early.box.press_sequentially("a c")

    events[0].fulfill(body=f"event: progress\ndata: {progress}\n\n", **SSE)
    expect(early.button("Jobs")).not_to_have_class(re.compile("marked"))
    early.box.press_sequentially("at")
    expect(early.box).to_have_value("a cat")
    pause(early)

    early.shows("chelsea.png")


def test_what_is_written_goes_along_to_the_collection_to_begin_with(
    early: Visit, fill: Callable[..., str]
) -> None:
    home = fill("moon.png", "coffee.png")
    early.page.clock.install()
    callers = hold(early.page, "**/v1/caller")
    with early.page.expect_request("**/v1/caller"):
        early.open()
    early.stop_clock()
    early.box.fill("a cup of coffee")

    about = {
        "id": "k",
        "name": "a key",
        "scope": "read",
        "collections": [home],
        "default_collection": "images",
    }
    callers[0].fulfill(json=about)

    early.shows_only("coffee.png", "moon.png")
    expect(early.box).to_have_value("a cup of coffee")
    expect(early.page).to_have_url(re.compile(rf"q=a\+cup\+of\+coffee&collection={home}$"))


def test_what_is_written_is_searched_though_a_filter_is_chosen_at_once(
    opened: Callable[..., Visit], photos: Photos
) -> None:
    visit = opened()
    visit.page.clock.install()
    visit.open()
    visit.button("Filter").click()
    space = visit.filter.get_by_role("checkbox", name=re.compile(r"^space \d"))
    expect(space).to_be_visible()
    visit.stop_clock()
    visit.box.fill("a rocket")
    space.check()

    expect(visit.tiles).to_have_count(4)
    visit.shows("rocket.jpg")
    expect(visit.box).to_have_value("a rocket")
    visit.page.go_back()
    expect(visit.box).to_have_value("")
    expect(visit.tiles).to_have_count(photos.count)


def test_what_is_written_is_searched_below_a_picture_that_is_opened_at_once(
    opened: Callable[..., Visit],
) -> None:
    visit = opened()
    visit.page.clock.install()
    visit.open()
    expect(visit.tile("moon.png")).to_be_visible()
    visit.stop_clock()
    visit.box.fill("a cat")
    dialog = visit.open_picture("moon.png")
    pause(visit)

    expect(dialog).to_be_visible()
    visit.button("Close", within=dialog).click()
    visit.shows("chelsea.png")
    expect(visit.box).to_have_value("a cat")


def test_what_an_input_method_has_composed_is_searched(opened: Callable[..., Visit]) -> None:
    visit = opened()
    expect(visit.tiles.first).to_be_visible()
    session = visit.page.context.new_cdp_session(visit.page)
    visit.box.focus()
    session.send("Input.imeSetComposition", {"text": "a ca", "selectionStart": 4, "selectionEnd": 4})
    expect(visit.box).to_have_value("a ca")
    session.send("Input.insertText", {"text": "a cat"})

    visit.shows("chelsea.png")
    expect(visit.box).to_have_value("a cat")
    assert len(visit.record.sent("POST", "/v1/search")) == 1
