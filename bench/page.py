"""How long a search takes on the page, from the last key to the first picture, and how large the page grows.

    python -m bench.page [--pictures 10000] [--searches 20] [--json FILE]

A browser types new texts into the page of an embedded stack. The clock runs from the browser's event of the
last key until the frame that shows the first result's picture is painted, which includes the pause that the
page waits for after a key (0.2 s). Then it scrolls to the 1,000th hit.
"""

import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page
from rich.table import Table

from bench.benchmark import Skipped
from bench.command import add_cache, measure_and_print, parser_of
from bench.embedded_stack import embedded_stack
from bench.http_load import random_text
from bench.machine import cores_and_processor
from bench.pictured_points import fill_with_pictures
from bench.search_points import make_points
from sightline.encoder.artifact import open_artifact
from sightline.index.edge.client import EdgeClient
from sightline.media import FolderMediaStore
from sightline_local.data_folder import DataFolder

sys.path.append(str(Path(__file__).parent.parent / "tests/web"))
from browser import MISSING, browser_path, running_browser
from page_size import SCROLLED_TO, PageSize

DEPTH = 1_000
"""Hits that paging reaches."""
_WARM = 3
_FIRST = "[aria-posinset='1']"
_PAINTED = """first => new Promise(resolve => {
  const before = document.querySelector(first);
  let keyed = 0;
  addEventListener("input", event => (keyed = event.timeStamp), true);
  const seen = new MutationObserver(async () => {
    const picture = document.querySelector(`${first} img`);
    if (!picture || document.querySelector(first) === before) return;
    seen.disconnect();
    await picture.decode();
    // The next frame paints it, and a task after that frame is the first to run once it has.
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - keyed)));
  });
  seen.observe(document.querySelector("picture-wall"), { childList: true, subtree: true });
})"""
_ANSWERED = """() => {
  const answers = performance.getEntriesByType("resource").filter(one => one.name.endsWith("/v1/search"));
  performance.clearResourceTimings();
  return answers.at(-1).duration;
}"""


def measure(*, pictures: int, searches: int, model: Path, cache: Path) -> dict[str, Any]:
    """Milliseconds of searches on the page, and its size with its first hits and at the 1,000th."""
    program = browser_path()
    if program is None:
        raise Skipped(MISSING)
    with ExitStack() as opened:
        origin = opened.enter_context(_stack(pictures, model, cache))
        browser = opened.enter_context(running_browser(program))
        page = _first_visit(browser, origin)
        chance = random.Random(1)
        turns = [_search(page, random_text(chance)) for _ in range(_WARM + searches)][_WARM:]
        first = PageSize.of(page)
        page.wait_for_function(SCROLLED_TO, arg=DEPTH)
        return {
            "machine": cores_and_processor(),
            "browser": f"Chromium {browser.version}",
            "pictures": pictures,
            "searches": searches,
            "painted": _percentiles([painted for painted, _ in turns]),
            "answered": _percentiles([answered for _, answered in turns]),
            "first": vars(first),
            "at_depth": vars(PageSize.of(page)),
        }


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures for a reader."""
    title = f"the page over {found['pictures']:,} pictures, {found['browser']}, {found['machine']}"
    times = Table("of a search", "p50 ms", "p95 ms", title=title)
    for name, said in (("painted", "last key to first picture"), ("answered", "of it: POST /v1/search")):
        times.add_row(said, f"{found[name]['p50_ms']:.0f}", f"{found[name]['p95_ms']:.0f}")
    sizes = Table("the page", "elements", "heap MiB")
    for name, said in (("first", "with its first hits"), ("at_depth", f"at hit {DEPTH:,}")):
        sizes.add_row(said, f"{found[name]['nodes']}", f"{found[name]['heap_bytes'] / (1 << 20):.1f}")
    return [times, sizes]


@contextmanager
def _stack(pictures: int, model: Path, cache: Path) -> Iterator[str]:
    """The origin of an embedded stack with so many pictures."""
    artifact = open_artifact(model.resolve())
    made = make_points(pictures, artifact.manifest.dimension, artifact.manifest.space)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        data = DataFolder(folder / "data")
        with (
            embedded_stack(data.root, str(artifact.path), folder) as (_, api),
            closing(EdgeClient(data.runtime / "index.sock")) as index,
        ):
            fill_with_pictures(index, FolderMediaStore(data.root / "media"), made, cache / "samples")
            yield str(api.base_url).rstrip("/")


def _first_visit(browser: Browser, origin: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(origin)
    page.locator(_FIRST).wait_for()
    return page


def _search(page: Page, text: str) -> tuple[float, float]:
    """Milliseconds from the last key to the first picture, and of the request among them."""
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Control+A")
    painted = page.evaluate_handle(f"first => ({{ painted: ({_PAINTED})(first) }})", _FIRST)
    page.keyboard.type(text)
    return painted.evaluate("waited => waited.painted"), page.evaluate(_ANSWERED)


def _percentiles(milliseconds: list[float]) -> dict[str, float]:
    return {f"p{p}_ms": round(float(np.percentile(milliseconds, p)), 1) for p in (50, 95)}


def main() -> None:
    """Print tables; with --json write the figures to a file."""
    parser = parser_of(__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--searches", type=int, default=20)
    add_cache(parser)
    measure_and_print(parser, measure, tables)


if __name__ == "__main__":
    main()
