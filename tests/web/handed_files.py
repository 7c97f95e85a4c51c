"""Files that a visitor drops on the page or pastes into it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from playwright.sync_api import JSHandle, Locator, Page

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".svg": "image/svg+xml"}
_TRANSFER = """files => {
  const transfer = new DataTransfer();
  for (const { name, type, data } of files) {
    const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  return transfer;
}"""
_CLIPBOARD = ("clipboard-read", "clipboard-write")
_TO_CLIPBOARD = """async data => {
  const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
  const png = new Blob([bytes], { type: "image/png" });
  await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
}"""


@dataclass(frozen=True)
class HandedFile:
    """A file by its name and its bytes."""

    name: str
    data: bytes

    @classmethod
    def at(cls, path: Path) -> Self:
        """A file of the disk."""
        return cls(path.name, path.read_bytes())

    @property
    def type(self) -> str:
        """What the browser takes it for."""
        return _TYPES[Path(self.name).suffix]


def drag(target: Locator, files: Sequence[HandedFile]) -> JSHandle:
    """Drag files over something; what is dragged, for `drop`."""
    given = [
        {"name": one.name, "type": one.type, "data": base64.b64encode(one.data).decode()} for one in files
    ]
    dragged = target.page.evaluate_handle(_TRANSFER, given)
    for event in ("dragenter", "dragover"):
        target.dispatch_event(event, {"dataTransfer": dragged})
    return dragged


def drop(target: Locator, dragged: JSHandle) -> None:
    """Let go of what is dragged over something."""
    target.dispatch_event("dragover", {"dataTransfer": dragged})
    target.dispatch_event("drop", {"dataTransfer": dragged})


def paste(page: Page, png: bytes) -> None:
    """Paste a picture with the keyboard, into whatever has the focus."""
    page.context.grant_permissions(_CLIPBOARD)
    page.evaluate(_TO_CLIPBOARD, base64.b64encode(png).decode())
    page.keyboard.press("Control+V")


def paste_text(page: Page, text: str) -> None:
    """Paste a text with the keyboard, into whatever has the focus."""
    page.context.grant_permissions(_CLIPBOARD)
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("Control+V")
