"""Some dozens of pictures out of a folder, spread over all of it, to measure on."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from sightline.file_uri import path_of
from sightline_embedder.sources.folder import FolderListing
from sightline_local.errors import BenchError

_HELD_BYTES = 256 << 20
"""No more is read than this, and one picture."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class PictureSample:
    """Files as they were read, and a line for each that could not be.

    `listed` is how many pictures the folder has, or how many were seen in the time for that.
    """

    files: Sequence[bytes]
    faults: Sequence[str]
    listed: int
    whole_folder: bool


def read_sample(folder: Path, count: int, max_bytes: int, listing_s: float) -> PictureSample:
    """Read at most `count` pictures of at most `max_bytes` each, spread over what is listed in time.

    Raises BenchError for a folder that is not there or has no picture, and SourceError for one that
    cannot be listed.
    """
    if not folder.is_dir():
        raise BenchError(f"There is no folder {folder} to measure on. Name another, or none.")
    listing = _InTime(_listed(folder), listing_s)
    paths = spread(listing, count)
    if not paths:
        raise BenchError(f"There are no pictures in {folder}. Name a folder that has some, or none.")
    files: list[bytes] = []
    faults: list[str] = []
    for path in paths:
        if sum(map(len, files)) > _HELD_BYTES:
            break
        try:
            files.append(_read(path, max_bytes))
        except OSError as error:
            faults.append(f"{path}: {error.strerror or error}.")
    return PictureSample(files, faults, listing.seen, listing.ended)


def spread(items: Iterable[_T], count: int) -> list[_T]:
    """At most `count` of the items at even distances, in order; holds no more than twice as many."""
    kept: list[_T] = []
    stride = 1
    for number, item in enumerate(items):
        if number % stride == 0:
            kept.append(item)
            if len(kept) == 2 * count:
                kept, stride = kept[::2], 2 * stride
    chosen = min(count, len(kept))
    return [kept[place * len(kept) // chosen] for place in range(chosen)]


class _InTime(Generic[_T]):
    """Items until they end or the time is over; the first one always."""

    def __init__(self, items: Iterable[_T], seconds: float) -> None:
        self._items = items
        self._until = time.monotonic() + seconds
        self.seen = 0
        self.ended = False

    def __iter__(self) -> Iterator[_T]:
        for item in self._items:
            self.seen += 1
            yield item
            if time.monotonic() > self._until:
                return
        self.ended = True


def _listed(folder: Path) -> Iterator[Path]:
    for listed in FolderListing(folder, recursive=True, roots=[folder]).list(None):
        yield path_of(listed.ref.uri)


def _read(path: Path, max_bytes: int) -> bytes:
    if not path.is_file() or path.stat().st_size > max_bytes:
        raise OSError("no file of a size that would be indexed")
    return path.read_bytes()
