"""Captioned photos from Debian packages, or from a folder of one's own.

    python -m bench.captioned gcompris .cache/quality/gcompris

writes a set as a folder for `sightline eval`: each photo as it comes, with its caption in a text beside it.
"""

import argparse
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from bench.qt_resources import resources

_GCOMPRIS_ACTIVITIES = (
    "categorization",
    "erase",
    "explore_farm_animals",
    "explore_monuments",
    "explore_world_animals",
    "explore_world_music",
)
"""The activities of GCompris that show photos with telling names; the others show drawings."""

_STAMP_FOLDERS = ("animals", "food", "household", "plants", "vehicles")
_DRAWN = {"cartoon", "toys"}
_PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True)
class Captioned:
    """A picture's file and its caption."""

    name: str
    content: bytes
    caption: str

    @property
    def picture(self) -> Image.Image:
        """The picture, decoded: RGB, transparent parts white."""
        return _opened(BytesIO(self.content))


def gcompris(cache: Path) -> Iterator[Captioned]:
    """Photos of the educational game GCompris, captioned by their file names (`redPanda3`: `red panda`)."""
    root = _package("gcompris-qt-data", cache) / "usr/share/gcompris-qt/rcc"
    for activity in _GCOMPRIS_ACTIVITIES:
        for path, content in sorted(resources((root / f"{activity}.rcc").read_bytes())):
            if path.endswith(".webp"):
                yield Captioned(Path(path).name, content, _words_of(Path(path).stem))


def stamps(cache: Path) -> Iterator[Captioned]:
    """Photos among the stamps of Tux Paint, captioned by the first line of the text beside them."""
    root = _package("tuxpaint-stamps-default", cache) / "usr/share/tuxpaint/stamps"
    for folder in _STAMP_FOLDERS:
        for path in sorted((root / folder).rglob("*.png")):
            if not _DRAWN & set(path.parts):
                yield from _with_text_beside(path)


def own_folder(folder: Path) -> Iterator[Captioned]:
    """Pictures of a folder that have a `NAME.txt` beside them, captioned by its first line."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _PICTURES:
            yield from _with_text_beside(path)


SETS = {"gcompris": gcompris, "stamps": stamps}


def write_folder(photos: Iterable[Captioned], folder: Path) -> int:
    """Write photos into a folder, each with its caption beside it; how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for number, one in enumerate(photos, start=1):
        # Numbered, because photos of different activities have the same name.
        file = folder / f"{number:03}-{one.name}"
        file.write_bytes(one.content)
        file.with_suffix(".txt").write_text(f"{one.caption}\n", encoding="utf-8")
    return number


def _package(name: str, cache: Path) -> Path:
    """Fetch a Debian package with apt-get, once, and unpack it without installing it."""
    unpacked = cache / name
    if not unpacked.exists():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", name], cwd=cache, check=True, capture_output=True)
        archive = next(cache.glob(f"{name}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True)
        archive.unlink()
    return unpacked


def _with_text_beside(path: Path) -> Iterator[Captioned]:
    text = path.with_suffix(".txt")
    lines = text.read_text(encoding="utf-8").splitlines() if text.exists() else []
    if lines and lines[0].strip():
        yield Captioned(path.name, path.read_bytes(), lines[0].strip())


def _words_of(stem: str) -> str:
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", stem.rstrip("0123456789"))
    return words.replace("_", " ").strip().lower()


def _opened(file: BytesIO) -> Image.Image:
    with Image.open(file) as image:
        pasted = image.convert("RGBA")
    white = Image.new("RGBA", pasted.size, "white")
    white.alpha_composite(pasted)
    return white.convert("RGB")


def main() -> None:
    """Write a set, fetched if need be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=SETS, help="the Debian package to take photos from")
    parser.add_argument("folder", type=Path, help="where to")
    parser.add_argument("--cache", type=Path, default=Path(".cache/captioned"))
    told = parser.parse_args()
    print(f"{write_folder(SETS[told.set](told.cache), told.folder)} captioned photos in {told.folder}")


if __name__ == "__main__":
    main()
