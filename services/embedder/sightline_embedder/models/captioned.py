"""Captioned pictures of a folder: NAME.jpg with its caption in NAME.txt beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif", ".gif", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class CaptionedFile:
    """A picture's file, and the first line of the text beside it."""

    path: Path
    caption: str


def captioned_files(folder: Path) -> Iterator[CaptionedFile]:
    """The captioned pictures of a folder and those below it, in order of their paths.

    Pictures without a text of the same name, or with an empty one, are left out.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _PICTURES:
            text = path.with_suffix(".txt")
            lines = text.read_text(encoding="utf-8").splitlines() if text.is_file() else []
            if lines and lines[0].strip():
                yield CaptionedFile(path, lines[0].strip())
