"""Thumbnails that do not come: asked for again while they may still come, and not for ever."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from visit import Visit

PAUSES_MS = (2_000, 4_000, 8_000, 16_000, 30_000)
LATER_MS = 60_000
LOOKS = 3
ROUND_TRIPS = 5
THUMBNAIL = re.compile(r"/v1/images/[0-9a-f-]{36}/thumbnail(\?|$)")


@pytest.fixture
def without(opened: Callable[..., Visit], fill: Callable[..., str]) -> Callable[[int], Visit]:
    """`without(status)`: a visit to one picture whose thumbnail is answered so; time can be put forward."""

    def begin(status: int) -> Visit:
        visit = opened("/web/icon.svg")
        visit.page.clock.install()
        visit.page.route(THUMBNAIL, lambda route: route.fulfill(status=status))
        with visit.page.expect_response(THUMBNAIL):
            visit.open(f"/?collection={fill('moon.png')}")
        expect(visit.tiles).to_have_count(1)
        return visit

    return begin


def asked_for(visit: Visit) -> int:
    return len([one for one in visit.record.requests if THUMBNAIL.search(one.url)])


def pass_time(visit: Visit) -> None:
    """Let much time go by, and whatever begins in it."""
    for _ in range(LOOKS):
        visit.page.clock.fast_forward(LATER_MS)
        for _ in range(ROUND_TRIPS):
            visit.page.evaluate("() => fetch('/healthz').then(answer => answer.text())")


def test_one_that_is_missing_is_left_alone(without: Callable[[int], Visit]) -> None:
    visit = without(404)
    with visit.page.expect_response(THUMBNAIL):
        visit.page.clock.fast_forward(PAUSES_MS[0])
    expect(visit.wall.locator("img.missing")).to_have_count(1)
    before = asked_for(visit)

    pass_time(visit)
    visit.page.get_by_role("link", name="Status").click()
    visit.page.get_by_role("link", name="Pictures", exact=True).click()
    expect(visit.tiles).to_have_accessible_name("moon.png")

    assert asked_for(visit) == before


def test_one_that_is_not_to_be_had_now_is_asked_for_ever_more_rarely(
    without: Callable[[int], Visit],
) -> None:
    visit = without(503)
    for pause_ms in PAUSES_MS:
        expect(visit.wall.locator("img.missing")).to_have_count(0)
        with visit.page.expect_response(THUMBNAIL):
            visit.page.clock.fast_forward(pause_ms)
    expect(visit.wall.locator("img.missing")).to_have_count(1)
    before = asked_for(visit)

    pass_time(visit)

    assert asked_for(visit) == before


def test_one_that_was_given_up_comes_when_the_service_is_back(without: Callable[[int], Visit]) -> None:
    visit = without(503)
    for pause_ms in PAUSES_MS:
        with visit.page.expect_response(THUMBNAIL):
            visit.page.clock.fast_forward(pause_ms)
    expect(visit.wall.locator("img.missing")).to_have_count(1)
    visit.page.unroute(THUMBNAIL)
    visit.stop_clock()  # Or the page would have asked again before anybody saw that it waits.
    visit.page.route("**/v1/stats", lambda route: route.fulfill(status=503), times=1)
    with visit.page.expect_response("**/v1/stats"):
        visit.page.get_by_role("link", name="Status").click()
    expect(visit.page.locator("#connection")).to_be_visible()

    with visit.page.expect_response("**/v1/stats"):
        visit.page.clock.fast_forward(PAUSES_MS[0])
    visit.page.get_by_role("link", name="Pictures", exact=True).click()

    visit.page.wait_for_function("() => document.querySelector('picture-wall img').naturalWidth > 0")
    expect(visit.wall.locator("img.missing")).to_have_count(0)
