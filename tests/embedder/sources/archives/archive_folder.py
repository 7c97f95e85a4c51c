"""The folder of a test: archives in an import root, listed as a job lists them."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from sightline.errors import FailureReason
from sightline.media import FolderMediaStore
from sightline.queue.sources import ArchiveSource
from sightline.settings import MIB
from sightline_embedder.errors import SourceError
from sightline_embedder.sources import Listed
from sightline_embedder.sources.archives import ArchiveLimits, ArchiveListing, archive_place

LIMITS = ArchiveLimits(picture_bytes=MIB, members=1000, unpacked_bytes=100 * MIB, min_free_bytes=0)


@dataclass(frozen=True)
class Outcome:
    """What listing an archive gave: the pictures, and what it ended with."""

    listed: Sequence[Listed]
    error: SourceError | None

    @property
    def good(self) -> list[str]:
        """Names of the pictures that were copied."""
        return [name_of(one) for one in self.listed if one.ref.refused is None]

    @property
    def refused(self) -> dict[str, FailureReason]:
        """Reasons by name of the pictures that were refused."""
        return {name_of(one): one.ref.refused.reason for one in self.listed if one.ref.refused is not None}

    @property
    def code(self) -> str | None:
        return self.error.code if self.error else None


def name_of(one: Listed) -> str:
    return one.ref.uri.partition("#")[2]


def outcome_of(listing: ArchiveListing, after: str | None = None) -> Outcome:
    listed: list[Listed] = []
    try:
        for one in listing.list(after):
            listed.append(one)
    except SourceError as error:
        return Outcome(listed, error)
    return Outcome(listed, None)


class Archives:
    """The folder of a test: archives in an import root, a media store, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.root.mkdir()
        self.media = FolderMediaStore(folder / "media")
        self.limits = LIMITS

    def add(self, data: bytes, name: str = "archive.bin") -> Path:
        path = self.root / name
        path.write_bytes(data)
        return path

    def listing(self, path: Path, **limits: int) -> ArchiveListing:
        place = archive_place(ArchiveSource(path=str(path)), [self.root], no_remote_files)
        return ArchiveListing(
            place, collection="images", media=self.media, limits=replace(self.limits, **limits)
        )

    def list(self, path: Path, after: str | None = None, **limits: int) -> Outcome:
        return outcome_of(self.listing(path, **limits), after)

    def bytes_of(self, one: Listed) -> bytes:
        assert one.ref.sha256 is not None
        return self.media.read_original("images", one.ref.sha256)

    def files_elsewhere(self) -> set[Path]:
        """Files that are neither archives nor originals in their place."""
        originals = self.folder / "media" / "images" / "originals"
        files = {path for path in self.folder.rglob("*") if not path.is_dir()}
        return {path for path in files if path.parent != self.root and not path.is_relative_to(originals)}


def no_remote_files(url: str, /) -> AbstractContextManager[BinaryIO]:
    raise AssertionError(f"{url} should not be opened")
