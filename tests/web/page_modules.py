"""Modules of the page, called from Python."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page
from visit import Visit

_CALL = "async ([module, name, given]) => (await import(`/web/${module}`))[name](...given)"


@dataclass(frozen=True)
class PageModules:
    """The modules at the origin of a page."""

    page: Page

    def call(self, module: str, name: str, *given: Any) -> Any:
        """What a function that a module exports gives; all of it as JSON has it."""
        return self.page.evaluate(_CALL, [module, name, given])


@contextmanager
def page_modules(browser: Browser, origin: str) -> Iterator[PageModules]:
    """The modules that an origin serves, in a document that runs nothing by itself."""
    visit = Visit.begin(browser, origin)
    visit.page.goto("/web/grammar.js")
    yield PageModules(visit.page)
    visit.end()
