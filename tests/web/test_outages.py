"""The page while the service is gone, and when it is back."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from handed_files import HandedFile, drag, drop
from photo_collection import Photos
from playwright.sync_api import Locator, expect
from visit import Visit

ROUND_TRIPS = 20
LOOK_AGAIN_MS = 3_100
ALL_LOADED = """() => {
  const thumbnails = [...document.querySelectorAll("picture-wall img")];
  return thumbnails.length > 0 && thumbnails.every(image => image.complete && image.naturalWidth > 0);
}"""


def alert(visit: Visit) -> Locator:
    return visit.page.locator("#connection")


@contextmanager
def without_api(sightline: Any) -> Iterator[None]:
    """Meanwhile the api is dead, and who would start it again is held back."""
    sightline.process.send_signal(signal.SIGSTOP)
    try:
        sightline.child("sightline_api").kill()
        yield
    finally:
        sightline.process.send_signal(signal.SIGCONT)


def test_a_search_outlives_the_api(opened: Callable[..., Visit], sightline: Any, photos: Photos) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)

    with without_api(sightline):
        visit.search("a cat")
        expect(alert(visit)).to_contain_text("Sightline does not answer")
        expect(alert(visit)).to_have_role("alert")

    visit.shows("chelsea.png")
    expect(alert(visit)).to_have_count(0)
    expect(visit.status).to_have_text(f"{photos.count} pictures")


def test_a_page_that_is_opened_too_early_comes_by_itself(
    opened: Callable[..., Visit], photos: Photos
) -> None:
    visit = opened("/web/icon.svg")
    visit.page.route("**/v1/**", lambda route: route.abort())
    visit.open()
    expect(alert(visit)).to_contain_text("Sightline does not answer")

    visit.page.unroute("**/v1/**")

    expect(visit.tiles).to_have_count(photos.count)
    expect(alert(visit)).to_have_count(0)


def test_what_was_asked_for_meanwhile_replaces_what_waits(opened: Callable[..., Visit]) -> None:
    visit = opened()
    expect(visit.tiles.first).to_be_visible()
    visit.page.route("**/v1/search", lambda route: route.abort())
    visit.search("a cat")
    expect(alert(visit)).to_be_visible()
    visit.search("a cup of coffee")

    visit.page.unroute("**/v1/search")

    visit.shows("coffee.png")
    expect(alert(visit)).to_have_count(0)


def test_a_service_that_is_busy_is_waited_for(opened: Callable[..., Visit], photos: Photos) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    busy = {"status": 429, "headers": {"Retry-After": "1"}, "json": {"code": "overloaded"}}
    visit.page.route("**/v1/search", lambda route: route.fulfill(**busy), times=1)

    visit.search("a cat")

    visit.shows("chelsea.png")
    expect(visit.page.get_by_role("alert")).to_have_count(0)


def test_a_search_that_failed_is_tried_again(opened: Callable[..., Visit], photos: Photos) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    broken = {"status": 500, "json": {"code": "internal", "detail": "It broke."}}
    visit.page.route("**/v1/search", lambda route: route.fulfill(**broken), times=1)
    visit.search("a cat")
    expect(visit.notice).to_contain_text("It broke.")
    expect(visit.status).to_have_text("It broke.")

    visit.button("Try again", within=visit.notice).click()

    visit.shows("chelsea.png")
    expect(visit.button("Try again")).to_have_count(0)


def test_thumbnails_that_did_not_come_are_asked_for_again(opened: Callable[..., Visit]) -> None:
    visit = opened("/web/icon.svg")
    visit.page.route("**/thumbnail*", lambda route: route.fulfill(status=429), times=3)
    visit.open()

    expect(visit.tiles.first).to_be_visible()
    visit.page.wait_for_function(ALL_LOADED)


def test_a_job_is_followed_past_an_outage(
    opened: Callable[..., Visit], fill: Callable[..., str], sightline: Any, photos: Photos
) -> None:
    visit = opened(f"/?collection={fill('moon.png')}")
    expect(visit.tiles).to_have_count(1)
    embedder = sightline.child("sightline_embedder")
    embedder.send_signal(signal.SIGSTOP)
    try:
        dragged = drag(visit.page.locator("body"), [HandedFile.at(photos.folder / "coffee.png")])
        job = visit.job_of(lambda: drop(visit.page.get_by_text("Add to the pictures"), dragged))
        with without_api(sightline):
            expect(alert(visit)).to_be_visible()
    finally:
        embedder.send_signal(signal.SIGCONT)

    expect(job).to_have_attribute("data-state", "succeeded")
    expect(visit.tiles).to_have_count(2)


def test_a_stream_that_is_refused_is_not_asked_for_in_a_loop(
    opened: Callable[..., Visit], photos: Photos, fill: Callable[..., str], sightline: Any
) -> None:
    visit = opened("/web/icon.svg")
    visit.page.route("**/v1/jobs/*/events", lambda route: route.fulfill(status=503))
    visit.page.clock.install()
    visit.open(f"/?collection={fill('moon.png')}")
    expect(visit.tiles).to_have_count(1)
    visit.stop_clock()
    embedder = sightline.child("sightline_embedder")
    embedder.send_signal(signal.SIGSTOP)
    try:
        dragged = drag(visit.page.locator("body"), [HandedFile.at(photos.folder / "coins.png")])
        job = visit.job_of(lambda: drop(visit.page.get_by_text("Add to the pictures"), dragged))
        for _ in range(ROUND_TRIPS):
            visit.page.evaluate("() => fetch('/healthz').then(answer => answer.text())")
        assert len(events_asked_for(visit)) == 1
    finally:
        embedder.send_signal(signal.SIGCONT)

    sightline.ended_job(job.get_attribute("data-job"), within_s=100)
    visit.page.clock.fast_forward(LOOK_AGAIN_MS)
    expect(job).to_have_attribute("data-state", "succeeded")
    visit.page.clock.resume()
    expect(visit.tiles).to_have_count(2)


def events_asked_for(visit: Visit) -> list[str]:
    return [one.url for one in visit.record.sent("GET", "/v1/jobs/") if one.url.endswith("/events")]
