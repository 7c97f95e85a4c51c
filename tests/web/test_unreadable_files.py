"""Files that cannot be read, and drops that are not what they seem: the rest goes on, nothing is silent."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from page_modules import PageModules, page_modules
from photo_collection import Photos
from playwright.sync_api import Browser, expect
from visit import Visit

_DROPPED = """
  const file = name => ({ name, isFile: true, file: found => found(new File(["x"], name)) });
  const fault = new DOMException("It was moved.", "NotFoundError");
  const moved = name => ({ name, isFile: true, file: (found, refuse) => refuse(fault) });
  const folder = (...entries) => {
    const rest = [entries, []];
    return { isDirectory: true, createReader: () => ({ readEntries: found => found(rest.shift()) }) };
  };
  const closed = { isDirectory: true, createReader: () => ({ readEntries: (_, refuse) => refuse(fault) }) };
  const below = folder(file("two.jpg"), file("notes.txt"), moved("three.jpg"), moved("no.txt"), closed);
  const items = [file("one.jpg"), moved("four.jpg"), below].map(entry => ({ webkitGetAsEntry: () => entry }));
  const dataTransfer = { types: ["Files"], items, files: [] };
"""
"""Three things that are dropped: two pictures among them, and three that the browser cannot read."""
_FILES_OF = f"""async () => {{
  {_DROPPED}
  const {{ filesOf }} = await import("/web/dropped_files.js");
  const {{ files, unread }} = await filesOf(dataTransfer);
  return [files.map(({{ name }}) => name), unread];
}}"""
_DROP = f"""() => {{
  {_DROPPED}
  document.body.dispatchEvent(Object.assign(new Event("drop", {{ bubbles: true }}), {{ dataTransfer }}));
}}"""


@pytest.fixture
def collection() -> str:
    return f"own-{uuid4().hex[:12]}"


@pytest.fixture
def folder(tmp_path: Path, photos: Photos) -> Path:
    """A folder with two photos."""
    out = tmp_path / "album"
    out.mkdir()
    for name in ("moon.png", "coffee.png"):
        shutil.copy2(photos.folder / name, out / name)
    return out


@pytest.fixture(scope="module")
def modules(browser: Browser, page_files: str) -> Iterator[PageModules]:
    with page_modules(browser, page_files) as modules:
        yield modules


def drop_folder(visit: Visit, folder: Path, at: dict[str, int]) -> None:
    """Drop a folder of the disk, which only the browser itself can."""
    session = visit.page.context.new_cdp_session(visit.page)
    dragged = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **at, "data": dragged})


def test_a_file_that_is_gone_before_it_is_sent_does_not_keep_the_others(
    opened: Callable[..., Visit], collection: str, folder: Path
) -> None:
    visit = opened(f"/?collection={collection}")
    visit.button("Add pictures").click()
    dialog = visit.page.get_by_role("dialog", name="Add pictures")
    dialog.locator("#add-files").set_input_files([folder / "moon.png", folder / "coffee.png"])
    (folder / "moon.png").unlink()
    job = visit.job_of(visit.button("Add", within=dialog).click)

    expect(job).to_contain_text("1 indexed")
    visit.shows_only("coffee.png")
    expect(visit.jobs.get_by_role("alert")).to_contain_text("1 file could not be read and was left out.")
    expect(visit.page.locator("#connection")).to_have_count(0)


def test_what_cannot_be_read_of_a_drop_is_counted_and_the_rest_is_taken(modules: PageModules) -> None:
    assert modules.page.evaluate(_FILES_OF) == [["one.jpg", "two.jpg"], 3]


def test_how_much_of_a_drop_could_not_be_read_is_said(opened: Callable[..., Visit], collection: str) -> None:
    visit = opened(f"/?collection={collection}")
    expect(visit.notice).to_contain_text("No pictures yet")
    job = visit.job_of(lambda: visit.page.evaluate(_DROP))

    expect(job).to_contain_text("2 failed")  # They are none, but they were sent.
    expect(visit.jobs.get_by_role("alert")).to_have_text("3 files could not be read and were left out.")


def test_a_folder_dropped_on_the_search_is_not_added(
    opened: Callable[..., Visit], collection: str, folder: Path
) -> None:
    visit = opened(f"/?collection={collection}")
    expect(visit.notice).to_contain_text("No pictures yet")

    drop_folder(visit, folder, {"x": 600, "y": 300})

    refusal = visit.page.get_by_role("alert")
    expect(refusal).to_have_text("A search takes one picture at a time. Nothing was added.")
    assert visit.record.sent("POST", "/v1/") == []
    visit.page.keyboard.press("Escape")
    expect(refusal).to_have_count(0)


def test_a_folder_of_one_picture_is_searched_by(opened: Callable[..., Visit], folder: Path) -> None:
    (folder / "moon.png").unlink()
    visit = opened()
    expect(visit.tiles.first).to_be_visible()

    drop_folder(visit, folder, {"x": 600, "y": 300})

    visit.shows("coffee.png")
    expect(visit.chips).to_have_count(1)
