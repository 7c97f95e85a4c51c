"""Makes the pictures of docs/page: the page in its main views, in light, in dark and on a phone.

    python tests/web/screenshots.py [--out docs/page] [--only search picture]

It starts an embedded stack on the sample photos with the `starter` model, and drives the browser that the
tests drive. Each file stays below 120 kB.
"""

import argparse
import itertools
import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, expect

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent))
from browser import MISSING, browser_path, running_browser
from cached_models import starter_artifact
from handed_files import HandedFile, drag, drop
from photo_collection import METADATA_FIELDS, describe, make_photos
from running_stack import running
from visit import Visit

from sightline_local.samples import copy_samples

LARGEST_BYTES = 120_000
WIDE, PHONE = {"width": 1120, "height": 680}, {"width": 390, "height": 844}
QUALITY = 88
COMING = 99
"""Pictures that come in while the drawer is looked at."""
ALBUM = ("flower.jpg", "china.jpg", "chelsea.png", "rocket.jpg", "coffee.png", "astronaut.png")
_ALBUMS = itertools.count(1)
_LOADED = "() => [...document.images].every(image => image.complete && image.naturalWidth > 0)"


@dataclass(frozen=True)
class Look:
    """A way to show the page; `suffix` goes into the file's name."""

    suffix: str
    options: Mapping[str, Any]


LOOKS = (
    Look("", {"viewport": WIDE, "color_scheme": "light"}),
    Look("-dark", {"viewport": WIDE, "color_scheme": "dark"}),
    Look("-phone", {"viewport": PHONE, "color_scheme": "light", "has_touch": True}),
)


def show_search(visit: Visit) -> None:
    """A search for one thing and less of another."""
    visit.open("/?q=a+cat+-coffee")
    visit.shows("chelsea.png")


def show_picture(visit: Visit) -> None:
    """A picture, large, with what is known of it."""
    visit.open("/?q=a+rocket")
    visit.open_picture("rocket.jpg")
    large = visit.picture.get_by_role("img", name="rocket.jpg")
    expect(large).to_have_attribute("src", re.compile("/original"))


def show_import(visit: Visit) -> None:
    """The drawer with a job under way."""
    visit.open(f"/?collection=album-{next(_ALBUMS)}")
    files = [HandedFile(f"IMG_{number:04}.jpg", data) for number, data in enumerate(_album())]
    files.insert(0, HandedFile("notes.jpg", b"A list of things to buy."))
    dragged = drag(visit.page.locator("body"), files)
    for state in ("queued", "running"):  # Of an earlier look.
        for left in visit.page.request.get(f"/v1/jobs?state={state}").json()["items"]:
            visit.page.request.post(f"/v1/jobs/{left['id']}/cancel")
    job = visit.job_of(lambda: drop(visit.page.get_by_text("Add to the pictures"), dragged))
    expect(job).to_contain_text("left")
    expect(visit.tiles.nth(8)).to_be_attached()


def show_empty(visit: Visit) -> None:
    """A collection that has no pictures yet."""
    visit.open("/?collection=new")
    expect(visit.notice).to_contain_text("No pictures yet")


VIEWS: Mapping[str, Callable[[Visit], None]] = {
    "search": show_search,
    "picture": show_picture,
    "empty": show_empty,
    "import": show_import,
}


def main() -> None:
    """Make those that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/page"))
    parser.add_argument("--only", nargs="+", choices=VIEWS, default=list(VIEWS))
    options = parser.parse_args()
    program = browser_path()
    if program is None:
        sys.exit(MISSING)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, running_browser(program) as browser:
        data, photos = Path(scratch) / "data", make_photos(Path(scratch) / "photos").folder
        environment = {"SIGHTLINE_METADATA_FIELDS": METADATA_FIELDS}
        with running(starter_artifact(), data, photos, environment=environment) as stack:
            _upload(stack.api, photos)
            for name in options.only:
                for look in LOOKS:
                    _shoot(browser, stack.api, look, VIEWS[name], options.out / f"{name}{look.suffix}.webp")


def _upload(api: httpx.Client, photos: Path) -> None:
    """As uploads, so that no picture shows where this machine keeps its files."""
    files = [("files", (photo.name, photo.read_bytes())) for photo in sorted(photos.iterdir())]
    answer = api.post("/v1/images", files=files, headers={"Prefer": "wait=60"}, timeout=100)
    assert answer.json()["state"] == "succeeded", answer.text
    describe(api)


def _shoot(browser: Browser, api: httpx.Client, look: Look, show: Callable[[Visit], None], out: Path) -> None:
    visit = Visit.begin(browser, str(api.base_url).rstrip("/"), **look.options)
    show(visit)
    visit.page.wait_for_function(_LOADED)
    taken = visit.page.screenshot()
    visit.end()
    with Image.open(BytesIO(taken)) as picture:
        picture.convert("RGB").save(out, "WEBP", quality=QUALITY, method=6)
    assert out.stat().st_size < LARGEST_BYTES, f"{out} has {out.stat().st_size} bytes"
    sys.stdout.write(f"{out}: {out.stat().st_size:,} bytes\n")


def _album() -> Iterator[bytes]:
    """Different pictures: cuts of real photos."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = copy_samples(Path(scratch))
        photos = [Image.open(folder / name).convert("RGB") for name in ALBUM]
    chance = random.Random(4)
    for number in range(COMING):
        photo = photos[number % len(photos)]
        left, top = (chance.randrange(side // 3) for side in photo.size)
        out = BytesIO()
        photo.crop((left, top, left + photo.width // 2, top + photo.height // 2)).save(out, "JPEG")
        yield out.getvalue()


if __name__ == "__main__":
    main()
