"""Pictures that come in through the page, and their jobs in the drawer."""

import re
import signal
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import numpy as np
import pytest
from browser import PATIENCE_MS
from handed_files import HandedFile, drag, drop, paste_text
from photo_collection import Photos
from PIL import Image
from playwright.sync_api import Locator, expect
from psutil import Process
from visit import Visit

PICTURES = 45
AT_A_TIME = 100
REASONS = {
    "cut.jpg": "truncated",
    "text.jpg": "not_an_image",
    "empty.jpg": "empty",
    "huge.png": "too_many_pixels",
    "drawing.svg": "unsupported_format",
}


@pytest.fixture
def collection(sightline: Any) -> str:
    return f"own-{uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def files(photos: Photos) -> list[HandedFile]:
    """Fifty files, five of which are broken, each in a way of its own."""
    good = [HandedFile(f"{number:02}.jpg", noise(number)) for number in range(PICTURES)]
    whole = (photos.folder / "rocket.jpg").read_bytes()
    broken = {
        "cut.jpg": whole[: len(whole) // 2],
        "text.jpg": b"This is no picture at all.\n" * 20,
        "empty.jpg": b"",
        "huge.png": png_header(40_000, 40_000),
        "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    }
    assert broken.keys() == REASONS.keys()
    return [*good, *(HandedFile(name, data) for name, data in broken.items())]


@pytest.fixture
def embedder(sightline: Any) -> Process:
    process: Process = sightline.child("sightline_embedder")
    return process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two pictures, one of them further down, and with files that nobody took for pictures."""
    out = tmp_path / "album"
    (out / "below").mkdir(parents=True)
    (out / "one.jpg").write_bytes(noise(201))
    (out / "below" / "two.jpg").write_bytes(noise(202))
    for name in ("notes.txt", ".hidden.jpg", "below/Thumbs.db"):
        (out / name).write_bytes(b"no picture")
    return out


def noise(seed: int) -> bytes:
    """A small picture that no other is like."""
    out = BytesIO()
    colours = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(colours).resize((160, 120), Image.Resampling.BICUBIC).save(out, "JPEG")
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is this large and has nothing to show for it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100))


@contextmanager
def standing_still(embedder: Process) -> Iterator[None]:
    """Meanwhile the embedder does nothing, so that a job stays where it is."""
    embedder.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        embedder.send_signal(signal.SIGCONT)


def drop_on_page(visit: Visit, files: list[HandedFile]) -> Locator:
    """Drop files where pictures are added; their job in the drawer."""
    dragged = drag(visit.page.locator("body"), files)
    return visit.job_of(lambda: drop(visit.page.get_by_text("Add to the pictures"), dragged))


def id_of(job: Locator) -> str:
    name = job.get_attribute("data-job")
    assert name is not None
    return name


def test_fifty_files_are_followed_to_the_end(
    opened: Callable[..., Visit], embedder: Process, collection: str, files: list[HandedFile]
) -> None:
    visit = opened(f"/?collection={collection}")
    expect(visit.status).not_to_be_empty()

    with standing_still(embedder):
        job = drop_on_page(visit, files)
        expect(visit.jobs).to_be_visible()
        expect(job.get_by_role("progressbar")).to_be_visible()
        expect(job).to_have_attribute("data-state", "queued")
    expect(job).to_contain_text(f"{PICTURES} indexed, {len(REASONS)} failed")

    expect(job.get_by_role("progressbar")).to_have_count(0)
    for name, reason in REASONS.items():
        visit.button(f"Show {reason}", within=job).click()
        expect(job.get_by_role("listitem").filter(has_text=name).last).to_be_visible()
    events = f"/v1/jobs/{id_of(job)}"
    assert {urlsplit(one.url).path for one in visit.record.sent("GET", events)} == {
        f"{events}/events",
        f"{events}/failures",
    }
    expect(visit.wall.locator("[aria-posinset='1']")).to_have_attribute("aria-setsize", str(PICTURES))


def test_what_failed_is_tried_again_in_another_job(
    opened: Callable[..., Visit], sightline: Any, photos: Photos, collection: str, files: list[HandedFile]
) -> None:
    folder = photos.folder.parent / collection
    folder.mkdir()
    for one in files:
        if one.name in REASONS:
            (folder / one.name).write_bytes(one.data)
    first = sightline.ingest(folder, collection=collection)
    assert sightline.ended_job(first, within_s=60)["counts"]["failed"] == len(REASONS)
    (folder / "text.jpg").write_bytes(noise(100))
    (folder / "empty.jpg").write_bytes(noise(101))
    visit = opened(f"/?collection={collection}")
    visit.button("Jobs").click()
    job = visit.jobs.locator(f'article[data-job="{first}"]')

    again = visit.job_of(visit.button("Retry not_an_image", within=job).click)
    expect(again).to_contain_text("1 indexed")
    expect(visit.tiles).to_have_count(1)
    again = visit.job_of(visit.button("Retry all", within=job).click)
    expect(again).to_contain_text("1 indexed, 1 known before, 3 failed")
    expect(visit.button("Show truncated", within=again)).to_be_visible()
    expect(visit.tiles).to_have_count(2)


def test_an_export_says_how_much_was_written(
    opened: Callable[..., Visit], api: httpx.Client, collection: str, files: list[HandedFile]
) -> None:
    visit = opened(f"/?collection={collection}")
    expect(drop_on_page(visit, files[:2])).to_contain_text("2 indexed")
    export = api.post(f"/v1/collections/{collection}/export", params={"wait_s": 30}).json()

    visit.page.reload()
    visit.button("Jobs").click()

    job = visit.jobs.locator(f'article[data-job="{export["id"]}"]')
    expect(job.get_by_role("heading")).to_contain_text("Export")
    expect(job).to_contain_text("2 pictures written")


def test_a_job_is_canceled(
    opened: Callable[..., Visit], sightline: Any, embedder: Process, collection: str, files: list[HandedFile]
) -> None:
    visit = opened(f"/?collection={collection}")
    with standing_still(embedder):
        job = drop_on_page(visit, files[:20])
        visit.button("Cancel", within=job).click()
        expect(job).to_have_attribute("data-state", "canceled")

    ended = sightline.ended_job(id_of(job), within_s=60)
    assert (ended["state"], ended["counts"]["indexed"]) == ("canceled", 0)


def test_addresses_that_may_not_be_fetched_say_so(opened: Callable[..., Visit], collection: str) -> None:
    visit = opened(f"/?collection={collection}")
    visit.button("Add pictures").click()
    dialog = visit.page.get_by_role("dialog", name="Add pictures")
    addresses = f"{visit.record.origin}/cat.jpg\nhttp://127.0.0.1:9/dog.jpg"
    dialog.get_by_role("textbox", name="Addresses of pictures, one per line").fill(addresses)
    job = visit.job_of(visit.button("Add", within=dialog).click)

    expect(dialog).to_be_hidden()
    expect(visit.jobs).to_be_visible()
    expect(job).to_contain_text("2 failed")
    visit.button("Show address_forbidden", within=job).click()
    expect(job.get_by_role("listitem").filter(has_text="dog.jpg").last).to_contain_text("127.0.0.1")


def test_addresses_are_pasted_anywhere(opened: Callable[..., Visit]) -> None:
    visit = opened()
    addresses = "https://example.org/a.jpg\nhttps://example.org/b.jpg"
    paste_text(visit.page, addresses)

    field = visit.page.get_by_role("textbox", name="Addresses of pictures, one per line")
    expect(field).to_have_value(addresses)


def test_names_and_tags_are_text_whatever_they_hold(
    opened: Callable[..., Visit], collection: str, files: list[HandedFile]
) -> None:
    visit = opened(f"/?collection={collection}")
    name = "<img src=x onerror=window.ran=1>&amp;.jpg"
    job = drop_on_page(visit, [HandedFile(name, files[0].data), HandedFile(f"no {name}", b"")])
    expect(job).to_contain_text("1 indexed, 1 failed")
    visit.button("Show empty", within=job).click()
    expect(job.get_by_role("listitem").filter(has_text=f"no {name}").last).to_be_visible()

    dialog = visit.open_picture(name)
    dialog.get_by_role("textbox", name="Add a tag").fill(name)
    dialog.get_by_role("textbox", name="Add a tag").press("Enter")
    expect(visit.button(f"Remove tag {name}", within=dialog)).to_be_visible()
    visit.button("Close", within=dialog).click()
    visit.button("Filter").click()
    expect(visit.filter.get_by_role("checkbox", name=f"{name} 1")).to_be_visible()
    assert visit.page.evaluate("() => window.ran") is None


def test_chosen_files_get_the_tags_that_were_given(
    opened: Callable[..., Visit], api: httpx.Client, collection: str, files: list[HandedFile]
) -> None:
    visit = opened(f"/?collection={collection}")
    visit.button("Add pictures").click()
    dialog = visit.page.get_by_role("dialog", name="Add pictures")
    chosen = [{"name": one.name, "mimeType": one.type, "buffer": one.data} for one in files[:2]]
    dialog.locator("#add-files").set_input_files(chosen)
    dialog.get_by_role("textbox", name="Tags for all of them").fill("holiday, beach")
    job = visit.job_of(visit.button("Add", within=dialog).click)

    expect(job).to_contain_text("2 indexed")
    expect(visit.tiles).to_have_count(2)
    items = api.get("/v1/images", params={"collection": collection}).json()["items"]
    assert [item["tags"] for item in items] == [["holiday", "beach"]] * 2


def test_an_empty_form_says_what_to_do(opened: Callable[..., Visit]) -> None:
    visit = opened()
    visit.button("Add pictures").click()
    dialog = visit.page.get_by_role("dialog", name="Add pictures")
    visit.button("Add", within=dialog).click()

    expect(dialog.get_by_role("alert")).to_contain_text("Choose files")
    assert visit.record.sent("POST", "/v1/images") == []


def test_of_a_folder_that_is_chosen_pictures_alone_are_sent(
    opened: Callable[..., Visit], collection: str, folder: Path
) -> None:
    visit = opened(f"/?collection={collection}")
    visit.button("Add pictures").click()
    dialog = visit.page.get_by_role("dialog", name="Add pictures")
    dialog.locator("#add-folder").set_input_files(folder)
    job = visit.job_of(visit.button("Add", within=dialog).click)

    expect(job).to_contain_text("2 indexed")
    expect(visit.tiles).to_have_count(2)
    assert set(visit.names()) == {"one.jpg", "two.jpg"}


def test_of_a_folder_that_is_dropped_pictures_alone_are_sent(
    opened: Callable[..., Visit], collection: str, folder: Path
) -> None:
    visit = opened(f"/?collection={collection}")
    expect(visit.notice).to_contain_text("No pictures yet")
    session = visit.page.context.new_cdp_session(visit.page)
    dragged = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    low = {"x": 600, "y": 1200}

    def let_go() -> None:
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, **low, "data": dragged})

    expect(visit.job_of(let_go)).to_contain_text("2 indexed")
    expect(visit.tiles).to_have_count(2)
    assert set(visit.names()) == {"one.jpg", "two.jpg"}


def test_a_job_under_way_says_how_fast_it_goes(
    opened: Callable[..., Visit], embedder: Process, api: httpx.Client, collection: str
) -> None:
    # As many as the page sends at a time, so that some are to come still when it is looked again.
    files = [HandedFile(f"{number:02}.jpg", noise(number)) for number in range(AT_A_TIME)]
    visit = opened(f"/?collection={collection}")
    with standing_still(embedder):
        job = drop_on_page(visit, files)
    address = f"/v1/jobs/{id_of(job)}"
    deadline = monotonic() + PATIENCE_MS / 1000
    while not api.get(address).json()["counts"]["indexed"]:  # Each look is a request.
        assert monotonic() < deadline
    with standing_still(embedder):
        told = api.get(address).json()
        assert told["counts"]["pending"], "the embedder was faster than this test"
        expect(job).to_contain_text(re.compile(r"\d to come, [\d.]+/s, [\d.]+ (s|min) left"))
        share = job.get_by_role("progressbar")
        expect(share).to_have_attribute("max", str(len(files)))
    expect(job).to_contain_text(f"{len(files)} indexed")
