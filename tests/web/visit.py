"""A visit to the page, in a browser context of its own: what is to be seen, and what can be done."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from browser import PATIENCE_MS
from playwright.sync_api import Browser, Locator, Page, expect
from record import Record

_PAINTED = "() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
_FORWARD_MS = 2_500
_RELEVANCE = re.compile(r", relevance \d+\s?%$")


@dataclass(frozen=True)
class Visit:
    """A page and the record of it; things on the page are found by role and name."""

    page: Page
    record: Record

    @classmethod
    def begin(cls, browser: Browser, origin: str, **options: Any) -> Self:
        """A page at no address yet; `options` are those of a browser context."""
        # So high that all photos of these tests are on the wall at once.
        wanted = {"viewport": {"width": 1280, "height": 1400}, "reduced_motion": "reduce", "locale": "en-GB"}
        context = browser.new_context(base_url=origin, **(wanted | options))
        context.set_default_timeout(PATIENCE_MS)
        record = Record(origin).listen(context)
        page = context.new_page()
        # From the start: a chooser that is first waited for when it opens may come too early.
        page.on("filechooser", lambda _: None)
        return cls(page, record)

    def end(self) -> None:
        """Leave, and say what was wrong."""
        self.page.context.close()
        assert self.record.outside() == []
        assert self.record.faults == []

    def open(self, address: str = "/") -> Self:
        """Go to an address of the origin, and wait until the page is painted: before, browsers drop keys."""
        self.page.goto(address)
        self.page.evaluate(_PAINTED)
        return self

    def stop_clock(self) -> None:
        """Have no timer of the page end before time is let go on; needs a clock that was installed before.

        It goes forward first, by more than passes until it stands, and by less than the page waits to look.
        """
        self.page.clock.pause_at(self.page.evaluate("() => Date.now()") + _FORWARD_MS)

    @property
    def box(self) -> Locator:
        return self.page.get_by_role("searchbox", name="Search pictures")

    @property
    def wall(self) -> Locator:
        return self.page.get_by_role("list", name="Pictures")

    @property
    def tiles(self) -> Locator:
        return self.wall.locator("a[data-id]")

    @property
    def chips(self) -> Locator:
        return self.page.get_by_role("list", name="Query").get_by_role("listitem")

    @property
    def status(self) -> Locator:
        return self.page.locator("#announcer")

    @property
    def notice(self) -> Locator:
        return self.page.locator("#notice")

    @property
    def toast(self) -> Locator:
        return self.page.locator("#toast")

    @property
    def picture(self) -> Locator:
        return self.page.get_by_role("dialog", name="Picture", exact=True)

    @property
    def filter(self) -> Locator:
        return self.page.get_by_role("region", name="Filter")

    @property
    def jobs(self) -> Locator:
        return self.page.get_by_role("region", name="Jobs")

    def button(self, name: str, *, within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("button", name=name, exact=True)

    def job_of(self, act: Callable[[], object]) -> Locator:
        """Do what makes a job; its place in the drawer."""
        with self.page.expect_response(lambda answer: answer.status == 202) as answer:
            act()
        return self.jobs.locator(f'article[data-job="{answer.value.json()["id"]}"]')

    def search(self, text: str) -> None:
        """Search by a text, and by it alone if nothing else is in the query."""
        self.box.fill(text)
        self.box.press("Enter")

    def tile(self, name: str) -> Locator:
        """The tile of a picture, by the name of its file."""
        return self.wall.get_by_role("link", name=re.compile(rf"^{re.escape(name)}(,|$)"))

    def open_picture(self, name: str) -> Locator:
        """Open a picture from the wall; its dialog."""
        self.tile(name).click()
        expect(self.picture.get_by_role("heading", name=name)).to_be_visible()
        return self.picture

    def shows(self, *names: str) -> None:
        """Wait until the wall begins with these pictures."""
        for number, name in enumerate(names):
            begins = re.compile(rf"^{re.escape(name)}(,|$)")
            expect(self.tiles.nth(number)).to_have_accessible_name(begins)

    def shows_only(self, *names: str) -> None:
        """Wait until the wall holds these pictures and no other."""
        expect(self.tiles).to_have_count(len(names))
        self.shows(*names)

    def names(self) -> list[str]:
        """The names of the files on the wall."""
        labels = self.tiles.evaluate_all("tiles => tiles.map(tile => tile.ariaLabel)")
        return [_RELEVANCE.sub("", label) for label in labels]
