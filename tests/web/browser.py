"""The browser that the tests drive: the Chromium of this machine, without what it does by itself."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
MISSING = (
    "No browser: install Debian's `chromium`, or name one in SIGHTLINE_TEST_CHROMIUM; tests/web needs it."
)
PATIENCE_MS = 90_000
"""The longest that anything may take on a machine that does other things; nothing waits for it."""


def browser_path() -> str | None:
    """The browser's program; None where there is none."""
    named = os.environ.get("SIGHTLINE_TEST_CHROMIUM")
    if named:
        return named if Path(named).exists() else None
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def running_browser(program: str) -> Iterator[Browser]:
    """A browser without a window, ended with the context."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()
