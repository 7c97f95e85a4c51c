"""Pictures that come in while the page is open appear on the wall, and disturb nobody who looks at it."""

import json
from collections.abc import Callable

import httpx
import pytest
from handed_files import HandedFile, drag, drop
from photo_collection import Photos
from playwright.sync_api import Locator, Route, expect
from visit import Visit

REST_MS = 3_000
PROGRESS = 20
ROUND_TRIPS = 5
BROKEN = {"status": 500, "json": {"code": "internal", "detail": "It broke."}}


@pytest.fixture
def add(photos: Photos) -> Callable[..., Locator]:
    """`add(visit, name)`: drop a photo on the page, and wait until it is indexed; its job."""

    def add(visit: Visit, name: str) -> Locator:
        dragged = drag(visit.page.locator("body"), [HandedFile.at(photos.folder / name)])
        job = visit.job_of(lambda: drop(visit.page.get_by_text("Add to the pictures"), dragged))
        expect(job).to_contain_text("1 indexed")
        return job

    return add


@pytest.mark.parametrize("view", ["Status", "Duplicates"])
def test_what_comes_in_while_another_view_is_open_is_there_when_one_comes_back(
    opened: Callable[..., Visit], fill: Callable[..., str], add: Callable[..., Locator], view: str
) -> None:
    visit = opened(f"/?collection={fill('moon.png')}")
    expect(visit.tiles).to_have_count(1)
    visit.page.get_by_role("link", name=view).click()
    expect(visit.page.get_by_role("heading", name=view, exact=True)).to_be_visible()
    add(visit, "coffee.png")

    visit.page.get_by_role("link", name="Pictures", exact=True).click()

    expect(visit.tiles).to_have_count(2)


def test_what_comes_in_while_the_wall_loads_is_there_in_the_end(
    opened: Callable[..., Visit], fill: Callable[..., str], add: Callable[..., Locator], api: httpx.Client
) -> None:
    collection = fill("moon.png")
    before = api.get("/v1/images", params={"collection": collection}).json()
    visit = opened("/web/icon.svg")
    held: list[Route] = []
    visit.page.route("**/v1/images?*sort=*", lambda route: held.append(route), times=1)
    visit.open(f"/?collection={collection}")
    expect(visit.notice).to_have_text("Searching…")
    add(visit, "coffee.png")

    held[0].fulfill(json=before)

    expect(visit.tiles).to_have_count(2)


def test_what_comes_in_while_one_reads_further_down_is_there_at_the_top(
    opened: Callable[..., Visit], fill: Callable[..., str], add: Callable[..., Locator], photos: Photos
) -> None:
    names = sorted(file.name for file in photos.folder.iterdir() if file.name != "rocket.jpg")
    visit = opened(f"/?collection={fill(*names)}", viewport={"width": 700, "height": 400})
    expect(visit.tiles.first).to_be_visible()
    visit.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    assert visit.page.evaluate("() => scrollY > innerHeight")
    asked = len(visit.record.sent("GET", "/v1/images"))
    add(visit, "rocket.jpg")
    assert len([one for one in visit.record.sent("GET", "/v1/images")[asked:] if "sort=" in one.url]) == 0

    visit.page.evaluate("() => scrollTo(0, 0)")

    expect(visit.wall.locator("[aria-posinset='1']")).to_have_attribute("aria-setsize", str(len(names) + 1))


def test_the_focus_stays_on_its_picture_while_others_come_into_a_search(
    opened: Callable[..., Visit], fill: Callable[..., str], add: Callable[..., Locator]
) -> None:
    visit = opened(f"/?collection={fill('moon.png', 'coffee.png')}&q=a+cat")
    expect(visit.tiles).to_have_count(2)
    visit.tile("moon.png").focus()
    tile = visit.page.evaluate_handle("() => document.activeElement")
    add(visit, "chelsea.png")

    visit.shows("chelsea.png")
    expect(visit.tiles).to_have_count(3)
    expect(visit.tile("moon.png")).to_be_focused()
    assert visit.tile("moon.png").evaluate("(now, before) => now === before", tile)


def test_the_relevance_of_pictures_that_stay_is_renewed(
    opened: Callable[..., Visit], fill: Callable[..., str], add: Callable[..., Locator]
) -> None:
    visit = opened(f"/?collection={fill('moon.png', 'coffee.png')}&q=a+cat")
    expect(visit.tiles).to_have_count(2)
    visit.page.route("**/v1/search", with_relevance)
    add(visit, "chelsea.png")

    expect(visit.tile("moon.png")).to_have_accessible_name("moon.png, relevance 50%")
    expect(visit.tile("moon.png").locator(".relevance")).to_have_attribute("style", "width: 50%;")


def with_relevance(route: Route) -> None:
    """Answer a search as if all pictures were half relevant."""
    answer = route.fetch()
    found = answer.json()
    for hit in found["hits"]:
        hit["relevance"] = 0.5
    route.fulfill(response=answer, json=found)


def test_a_search_is_not_sent_again_for_every_picture_of_an_import(
    opened: Callable[..., Visit], api: httpx.Client
) -> None:
    job = api.get("/v1/jobs").json()["items"][-1] | {"state": "running"}
    visit = opened("/web/icon.svg")
    visit.page.clock.install()
    visit.page.route("**/v1/jobs?*", lambda route: route.fulfill(json={"items": [job], "next_cursor": None}))
    held: list[Route] = []
    visit.page.route("**/v1/jobs/*/events", lambda route: held.append(route))
    with visit.page.expect_request("**/v1/jobs/*/events"):
        visit.open("/?q=a+cat")
    visit.shows("chelsea.png")
    visit.stop_clock()
    with visit.page.expect_response("**/v1/search"):
        held[0].fulfill(body="".join(progress_of(job)), content_type="text/event-stream")
    for _ in range(ROUND_TRIPS):
        visit.page.evaluate("() => fetch('/healthz').then(answer => answer.text())")
    assert len(visit.record.sent("POST", "/v1/search")) == 2

    with visit.page.expect_response("**/v1/search"):
        visit.page.clock.run_for(REST_MS)
    visit.page.clock.run_for(10 * REST_MS)
    assert len(visit.record.sent("POST", "/v1/search")) == 3


def progress_of(job: dict[str, object]) -> list[str]:
    """The events of a job into which one picture comes after the other."""
    counts = job["counts"]
    assert isinstance(counts, dict)
    steps = range(counts["indexed"], counts["indexed"] + PROGRESS)
    told = (json.dumps(job | {"counts": counts | {"indexed": indexed}}) for indexed in steps)
    return [f"event: progress\ndata: {one}\n\n" for one in told]


def test_pictures_stay_though_they_could_not_be_renewed(
    opened: Callable[..., Visit], fill: Callable[..., str], add: Callable[..., Locator]
) -> None:
    visit = opened(f"/?collection={fill('moon.png', 'coffee.png')}&q=a+cat")
    expect(visit.tiles).to_have_count(2)
    visit.page.route("**/v1/search", lambda route: route.fulfill(**BROKEN))
    add(visit, "chelsea.png")

    fault = visit.page.get_by_role("alert").filter(has_text="It broke.")
    expect(fault).to_be_visible()
    expect(visit.tiles).to_have_count(2)
    visit.page.unroute("**/v1/search")
    visit.button("Try again", within=fault).click()
    expect(visit.tiles).to_have_count(3)
    expect(fault).to_have_count(0)
