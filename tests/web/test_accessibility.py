"""Every view, in dark and light, wide and on a phone: axe-core finds nothing serious in it."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from handed_files import HandedFile, drag, drop
from playwright.sync_api import expect
from visit import Visit

WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
GRAVE = ("serious", "critical")
# The toast stays for as long as axe takes, which waits for timers of its own: no clock may stand still.
WITHOUT_LONG_TIMERS = """{
  const begin = setTimeout;
  globalThis.setTimeout = (act, wait_ms, ...more) => (wait_ms < 8_000 ? begin(act, wait_ms, ...more) : 0);
}"""


def results(visit: Visit) -> None:
    visit.open('/?q=a+cat+"a+mug"+-rocket')
    visit.shows("chelsea.png")


def browsing(visit: Visit) -> None:
    visit.open()
    expect(visit.tiles.first).to_be_visible()


def nothing_stands_out(visit: Visit) -> None:
    visit.open("/?q=a+birthday+cake")
    expect(visit.notice).to_contain_text("Nothing stands out")


def picture(visit: Visit) -> None:
    browsing(visit)
    visit.open_picture("coffee.png")


def crop(visit: Visit) -> None:
    picture(visit)
    visit.button("Search inside", within=visit.picture).click()
    expect(visit.picture.get_by_role("group", name="Part to search for")).to_be_visible()


def filtering(visit: Visit) -> None:
    browsing(visit)
    visit.button("Filter").click()
    expect(visit.filter.get_by_role("group", name="Tags", exact=True)).to_be_visible()


def adding(visit: Visit) -> None:
    browsing(visit)
    visit.button("Add pictures").click()
    dialog = visit.page.get_by_role("dialog", name="Add pictures")
    visit.button("Add", within=dialog).click()
    expect(dialog.get_by_role("alert")).to_be_visible()


def failures(visit: Visit) -> None:
    visit.open("/?collection=broken")
    broken = [HandedFile("text.jpg", b"no picture"), HandedFile("empty.jpg", b"")]
    dragged = drag(visit.page.locator("body"), broken)
    job = visit.job_of(lambda: drop(visit.page.get_by_text("Add to the pictures"), dragged))
    expect(job).to_contain_text("2 failed")
    visit.button("Show not_an_image", within=job).click()
    expect(job.get_by_role("listitem").filter(has_text="text.jpg").last).to_be_visible()


def dragging(visit: Visit) -> None:
    browsing(visit)
    drag(visit.page.locator("body"), [HandedFile("a.jpg", b"x")])
    expect(visit.page.get_by_text("Search with it")).to_be_visible()


def duplicates(visit: Visit) -> None:
    visit.open("/?view=duplicates")
    visit.button("Look for duplicates").click()
    expect(visit.page.get_by_text("Looked for on")).to_be_visible()
    visit.page.get_by_role("radio", name="Show the same").check()
    expect(visit.page.get_by_role("group").filter(has=visit.page.get_by_role("link")).first).to_be_visible()


def status(visit: Visit) -> None:
    visit.open("/?view=status")
    expect(visit.page.get_by_role("main")).to_contain_text("starter")


def shortcuts(visit: Visit) -> None:
    browsing(visit)
    visit.button("Keyboard shortcuts").click()
    expect(visit.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def key(visit: Visit) -> None:
    visit.open("/web/icon.svg")
    refused = {"status": 401, "json": {"code": "unauthorized", "detail": "A key is needed."}}
    visit.page.route("**/v1/**", lambda route: route.fulfill(**refused))
    visit.open()
    dialog = visit.page.get_by_role("dialog", name="A key is needed")
    dialog.get_by_label("Key").fill("wrong")
    visit.button("Continue", within=dialog).click()
    expect(dialog.get_by_role("alert")).to_be_visible()


def empty(visit: Visit) -> None:
    visit.open('/?filter={"all":[{"field":"tags","any":["no+such+tag"]}]}')
    expect(visit.status).to_have_text("0 pictures")


def fault(visit: Visit) -> None:
    visit.open("/?filter={broken")
    expect(visit.notice).to_contain_text("filter")


def outage(visit: Visit) -> None:
    visit.open("/web/icon.svg")
    visit.page.route("**/v1/**", lambda route: route.abort())
    visit.open()
    expect(visit.page.locator("#connection")).to_be_visible()


VIEWS = (
    results,
    browsing,
    nothing_stands_out,
    picture,
    crop,
    filtering,
    adding,
    failures,
    dragging,
    duplicates,
    status,
    shortcuts,
    key,
    empty,
    fault,
    outage,
)


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_serious_is_in_the_way(opened: Callable[..., Visit], view: Callable[[Visit], None]) -> None:
    visit = opened("/web/icon.svg")
    view(visit)

    assert_usable(visit)


def test_nothing_serious_is_in_the_way_of_an_undo(
    opened: Callable[..., Visit], fill: Callable[..., str]
) -> None:
    visit = opened("/web/icon.svg")
    visit.page.add_init_script(WITHOUT_LONG_TIMERS)
    visit.open(f"/?collection={fill('moon.png', 'coffee.png')}")
    visit.button("Delete", within=visit.open_picture("moon.png")).click()
    expect(visit.toast).to_contain_text("will be deleted")

    assert_usable(visit)
    expect(visit.toast).to_contain_text("will be deleted")


def test_nothing_serious_is_in_the_way_of_another_collection(
    opened: Callable[..., Visit], fill: Callable[..., str]
) -> None:
    visit = opened(f"/?collection={fill('moon.png')}")
    expect(visit.tiles).to_have_count(1)
    expect(visit.page.get_by_role("combobox", name="Collection")).to_be_visible()
    visit.button("Jobs").click()
    expect(visit.jobs.get_by_text("into images").first).to_be_visible()

    assert_usable(visit)


def assert_usable(visit: Visit) -> None:
    """What is shown has no grave fault, and fits into the width, however it is shown."""
    for size in (WIDE, PHONE):
        visit.page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            # In dark nothing but the colours is another.
            rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
            found = (
                Axe().run(visit.page, options={"resultTypes": ["violations"], **rules}).response["violations"]
            )
            grave = [_said(one) for one in found if one["impact"] in GRAVE]
            assert grave == [], f"{scheme}, {size['width']} px wide"
            assert not _scrolls_sideways(visit), f"{size['width']} px are not enough"


def _said(violation: Any) -> str:
    places = [f"{node['target']}: {node['failureSummary']}" for node in violation["nodes"]]
    return "\n".join((violation["id"], *places))


def _scrolls_sideways(visit: Visit) -> bool:
    wider = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
    return bool(visit.page.evaluate(wider))
