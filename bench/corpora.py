"""Folders of JPEG photos of a given size in pixels and bytes, made from real photos.

The photos that scikit-image and scikit-learn ship are cut, enlarged and given grain until a file has as
many bytes as wanted: what decoding costs goes by both. Each cut is used for several files, which differ
by a comment alone; no step on the way to the index can tell, since every file has a hash of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from sightline_local.samples import copy_samples

_PHOTOS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "motorcycle_left.png",
    "rocket.jpg",
    "china.jpg",
    "flower.jpg",
)
_QUALITY = 88
_CUTS = 12
_TURNED_EVERY = 4
"""One cut in so many lies on its side, with the EXIF orientation that says so, as phones store it."""


@dataclass(frozen=True)
class Corpus:
    """Photos of `width` x `height` pixels, stored as wide as they are, with about `megabytes` each."""

    width: int
    height: int
    megabytes: float

    @property
    def name(self) -> str:
        """Pixels and bytes, as `12.2MP-3.8MB`."""
        return f"{self.width * self.height / 1e6:.1f}MP-{self.megabytes:g}MB"


PHOTOS_1MB = Corpus(4032, 3024, 1.0)
PHOTOS_4MB = Corpus(4032, 3024, 3.8)
WEB = Corpus(1024, 768, 0.2)
CORPORA = {"photos-1mb": PHOTOS_1MB, "photos-3.8mb": PHOTOS_4MB, "web": WEB}


def make_corpus(corpus: Corpus, files: int, cache: Path) -> Path:
    """A folder below `cache` with at least that many files; what is there already is kept."""
    folder = cache / corpus.name / str(files)
    folder.mkdir(parents=True, exist_ok=True)
    cuts: list[bytes] = []
    for number in range(files):
        path = folder / f"{number:05}.jpg"
        if path.exists():
            continue
        if not cuts:
            cuts = list(_cuts(corpus, min(_CUTS, files), cache / "samples"))
        path.write_bytes(_commented(cuts[number % len(cuts)], number))
    return folder


def megabytes_per_file(folder: Path) -> float:
    """The mean size of a folder's files in 10^6 bytes."""
    sizes = [path.stat().st_size for path in folder.iterdir()]
    return sum(sizes) / len(sizes) / 1e6


def _cuts(corpus: Corpus, number: int, samples: Path) -> Iterator[bytes]:
    folder = copy_samples(samples)
    chance = np.random.default_rng(12)
    photos = [Image.open(folder / name).convert("RGB") for name in _PHOTOS]
    grain = chance.normal(0, 1, (corpus.height, corpus.width, 1)).astype(np.float32)
    for index in range(number):
        photo = photos[index % len(photos)]
        left, top = (chance.uniform(0, side / 4) for side in photo.size)
        box = (left, top, left + photo.width * 0.75, top + photo.height * 0.75)
        enlarged = photo.resize((corpus.width, corpus.height), Image.Resampling.BICUBIC, box=box)
        yield _with_bytes(np.asarray(enlarged, np.float32), grain, corpus, turned=index % _TURNED_EVERY == 3)


def _with_bytes(
    pixels: NDArray[np.float32], grain: NDArray[np.float32], corpus: Corpus, turned: bool
) -> bytes:
    """The picture as JPEG with as much grain as makes its file the wanted size, found by bisection."""
    small, large = 0.0, 64.0
    quarter = (slice(corpus.height // 8 * 3, corpus.height // 8 * 5), slice(None))
    for _ in range(7):
        amount = (small + large) / 2
        size = 4 * len(_jpeg(pixels[quarter], grain[quarter], amount, turned))
        small, large = (amount, large) if size < corpus.megabytes * 1e6 else (small, amount)
    return _jpeg(pixels, grain, small, turned)


def _jpeg(pixels: NDArray[np.float32], grain: NDArray[np.float32], amount: float, turned: bool) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6 if turned else 1
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:17 12:30:00"
    encoded = BytesIO()
    picture = Image.fromarray((pixels + amount * grain).clip(0, 255).astype(np.uint8))
    picture.save(encoded, "JPEG", quality=_QUALITY, exif=exif)
    return encoded.getvalue()


def _commented(jpeg: bytes, number: int) -> bytes:
    comment = f"{number:08}".encode()
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    return jpeg[:2] + segment + jpeg[2:]
