"""How large a page is in its browser."""

from dataclasses import dataclass
from typing import Self

from playwright.sync_api import Page

SCROLLED_TO = """number => {
  scrollTo(0, document.body.scrollHeight);
  return document.querySelector(`[aria-posinset="${number}"]`) !== null;
}"""
"""Scrolls to the end of the wall; true once the picture of that number is on it, counted from 1."""


@dataclass(frozen=True)
class PageSize:
    """`nodes` counts the elements of the document; `heap_bytes` is what scripts hold, garbage aside."""

    nodes: int
    heap_bytes: int

    @classmethod
    def of(cls, page: Page) -> Self:
        """The size of a page now."""
        session = page.context.new_cdp_session(page)
        session.send("HeapProfiler.collectGarbage")
        heap = session.send("Runtime.getHeapUsage")
        session.detach()
        return cls(page.evaluate("() => document.querySelectorAll('*').length"), round(heap["usedSize"]))
