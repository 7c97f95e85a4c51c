"""The wall with more hits than anybody looks at: it stays as small as with the first."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from bench.pictured_points import fill_with_pictures
from bench.search_points import make_points
from page_size import SCROLLED_TO, PageSize
from photo_collection import name_of
from playwright.sync_api import expect
from visit import Visit

from sightline.encoder.artifact import open_artifact
from sightline.index.edge.client import EdgeClient
from sightline.media import FolderMediaStore
from sightline_local.data_folder import DataFolder

PICTURES = 1_200
DEPTH = 1_000
"""Hits that paging reaches."""
MIB = 1 << 20
_BOXES = """() => [...document.querySelectorAll("[aria-posinset]")].map(tile => {
  const { left, top, right, bottom } = tile.getBoundingClientRect();
  return [Number(tile.ariaPosInSet), left, top, right, bottom];
})"""


_SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => {
  for (const { value, sources } of list.getEntries()) {
    window.shifts.push([value, ...sources.map(({ node }) => node?.parentElement?.outerHTML.slice(0, 80))]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


SCROLLED_TWICE = """async () => {
  for (const top of [document.body.scrollHeight, 0]) {
    scrollTo(0, top);
    await new Promise(painted => requestAnimationFrame(() => requestAnimationFrame(painted)));
  }
  return true;
}"""


@pytest.fixture(scope="module")
def crowd(
    run_tiny_stack: Any, tiny_clip_artifact: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A stack with many pictures, of which there are only thumbnails and vectors."""
    data = DataFolder(tmp_path_factory.mktemp("crowd").resolve())
    manifest = open_artifact(tiny_clip_artifact).manifest
    points = make_points(PICTURES, manifest.dimension, manifest.space)
    with (
        run_tiny_stack(data.root, data.root) as stack,
        closing(EdgeClient(data.runtime / "index.sock")) as index,
    ):
        media = FolderMediaStore(data.root / "media")
        fill_with_pictures(index, media, points, tmp_path_factory.mktemp("samples"))
        yield stack


def hits(api: httpx.Client, text: str) -> list[str]:
    """The names of the files of all hits that can be reached, best first."""
    found: list[str] = []
    cursor = None
    while len(found) < DEPTH:
        query = {"query": [{"text": text}], "limit": 200, "cursor": cursor}
        page = api.post("/v1/search", json=query).json()
        found += [name_of(hit["image"]) for hit in page["hits"]]
        cursor = page["next_cursor"]
    return found


def test_the_thousandth_hit_costs_what_the_first_did(visit: Callable[..., Visit], crowd: Any) -> None:
    visited = visit(str(crowd.api.base_url).rstrip("/")).open("/?q=a+cat")
    wanted = hits(crowd.api, "a cat")
    visited.shows(*wanted[:3])
    expect(visited.status).to_contain_text("More than 100 pictures")
    before = PageSize.of(visited.page)

    visited.page.wait_for_function(SCROLLED_TO, arg=DEPTH)

    last = visited.wall.locator(f"[aria-posinset='{DEPTH}']")
    expect(last.get_by_role("link")).to_have_accessible_name(re.compile(f"^{re.escape(wanted[-1])},"))
    after = PageSize.of(visited.page)
    assert after.nodes < 2 * before.nodes
    assert after.heap_bytes < before.heap_bytes + 8 * MIB
    assert visited.names()[-10:] == wanted[-10:]


def test_pictures_fill_rows_and_do_not_overlap(visit: Callable[..., Visit], crowd: Any) -> None:
    visited = visit(str(crowd.api.base_url).rstrip("/")).open("/?q=a+cat")
    expect(visited.tiles.first).to_be_visible()
    width = visited.wall.evaluate("wall => wall.clientWidth")

    boxes = visited.page.evaluate(_BOXES)

    rows: dict[float, list[Any]] = {}
    for _, *box in boxes:
        rows.setdefault(round(box[1]), []).append(box)
    assert [number for number, *_ in boxes] == list(range(1, len(boxes) + 1))
    for row in rows.values():
        assert all(left[2] < right[0] for left, right in pairwise(row))
        assert row[-1][2] - row[0][0] == pytest.approx(width, abs=1)
    assert all(above[0][3] < below[0][1] for above, below in pairwise(rows.values()))


def test_nothing_jumps_while_it_loads(visit: Callable[..., Visit], crowd: Any) -> None:
    visited = visit(str(crowd.api.base_url).rstrip("/"))
    visited.page.add_init_script(_SHIFTS)
    visited.open()
    expect(visited.tiles.first).to_be_visible()
    visited.box.press_sequentially("a cat")
    expect(visited.notice).to_contain_text(re.compile("The nearest first|Nothing stands out"))
    visited.page.wait_for_function(SCROLLED_TO, arg=300)

    assert visited.page.evaluate("() => window.shifts") == []


def test_the_last_picture_is_one_key_away(visit: Callable[..., Visit], crowd: Any) -> None:
    visited = visit(str(crowd.api.base_url).rstrip("/")).open()
    visited.tiles.first.focus()

    visited.page.keyboard.press("End")
    number = visited.page.locator(":focus").locator("..").get_attribute("aria-posinset")
    assert number is not None
    assert int(number) >= 100
    visited.page.keyboard.press("Home")
    expect(visited.tiles.first).to_be_focused()


def test_pictures_stay_though_no_more_could_be_had(visit: Callable[..., Visit], crowd: Any) -> None:
    visited = visit(str(crowd.api.base_url).rstrip("/")).open("/?q=a+cat")
    expect(visited.status).to_contain_text("More than 100 pictures")
    broken = {"status": 500, "json": {"code": "internal", "detail": "It broke."}}
    visited.page.route("**/v1/search", lambda route: route.fulfill(**broken))
    visited.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")

    fault = visited.page.get_by_role("alert").filter(has_text="It broke.")
    expect(fault).to_be_in_viewport()
    expect(visited.tiles.first).to_be_visible()
    visited.page.unroute("**/v1/search")
    visited.button("Try again", within=fault).click()
    expect(visited.status).to_contain_text("More than 200 pictures")
    expect(fault).to_have_count(0)


def test_a_wall_that_is_hidden_asks_for_no_more(visit: Callable[..., Visit], crowd: Any) -> None:
    visited = visit(str(crowd.api.base_url).rstrip("/"), viewport={"width": 800, "height": 300}).open()
    expect(visited.status).to_contain_text("More than 100 pictures")
    visited.page.get_by_role("link", name="Status").click()
    expect(visited.page.get_by_role("main")).to_contain_text("licence")

    visited.page.wait_for_function(SCROLLED_TWICE)

    assert len([one for one in visited.record.sent("GET", "/v1/images") if "cursor=" in one.url]) == 0
    visited.page.get_by_role("link", name="Pictures", exact=True).click()
    expect(visited.tiles.first).to_be_visible()
