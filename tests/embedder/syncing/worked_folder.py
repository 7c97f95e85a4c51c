"""A folder of small pictures, and somebody who works in it."""

import os
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.identity import point_id, sha256_of

_times = iter(range(1_700_000_000_000_000_001, 1_800_000_000_000_000_000, 1_000_000_007))


def picture(number: int) -> bytes:
    """A file that holds a picture of its own, of the same size in bytes as every other."""
    colours = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
    with tempfile.SpooledTemporaryFile() as file:
        Image.fromarray(colours).save(file, "BMP")
        file.seek(0)
        return file.read()


def write(file: Path, number: int) -> None:
    """Put a picture into a file, which was last changed at a time of its own, long ago."""
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(picture(number))
    touch(file)


def touch(file: Path, whole_seconds: float | None = None) -> None:
    moment = next(_times) if whole_seconds is None else int(whole_seconds) * 1_000_000_000
    os.utime(file, ns=(moment, moment))


def fill(folder: Path, numbers: Sequence[int]) -> None:
    for number in numbers:
        write(folder / f"{number}.bmp", number)


def id_of(number: int) -> str:
    return point_id(sha256_of(picture(number)))


class Desk:
    """A folder that somebody works in, and what the index must hold after a sync."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        self.chance = chance
        self.files: dict[str, int] = {}
        self.read: set[str] = set()
        self._next = 0

    def work(self) -> None:
        action = self.chance.choice(["add", "add", "copy", "change", "touch", "rename", "swap", "delete"])
        if action == "add" or len(self.files) < 3:
            self._write(self._name(), self._number())
            return
        one, other = self.chance.sample(sorted(self.files), 2)
        match action:
            case "copy":
                self._write(self._name(), self.files[one])
            case "change":
                self._write(one, self._number())
            case "touch":
                touch(self.folder / one)
                self.read.add(one)
            case "rename":
                self._move(one, self._name())
            case "swap":
                self._move(one, "aside.bmp")
                self._move(other, one)
                self._move("aside.bmp", other)
            case "delete":
                (self.folder / one).unlink()
                self.read.discard(one)
                del self.files[one]

    def expected(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for name, number in self.files.items():
            found.setdefault(id_of(number), set()).add(Path(name).name)
        return found

    def _name(self) -> str:
        self._next += 1
        odd = self.chance.choice(["", " ", "%20", "ü", os.fsdecode(b"\xff"), "#?"])
        return f"{self.chance.choice('abz')}/{self.chance.randrange(100):02}{odd}{self._next}.bmp"

    def _number(self) -> int:
        # Few pictures, so that some go and come back, and some are in several files.
        return self.chance.randrange(25)

    def _write(self, name: str, number: int) -> None:
        write(self.folder / name, number)
        self.files[name] = number
        self.read.add(name)

    def _move(self, name: str, to: str) -> None:
        (self.folder / to).parent.mkdir(exist_ok=True)
        (self.folder / name).rename(self.folder / to)
        self.files[to] = self.files.pop(name)
        self.read.discard(name)
        self.read.add(to)
