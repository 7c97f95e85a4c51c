"""From a reference to bytes: the one place that opens what a job points at."""

import errno
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from sightline.buckets import Buckets
from sightline.errors import BadPicture, FailureReason, NotFound, OutsideRoots
from sightline.file_uri import path_of
from sightline.media import MediaStore
from sightline.queue.sources import Item, SourceKind
from sightline.queue.sync_state import FileStamp
from sightline.roots import open_within
from sightline.settings import Settings
from sightline_embedder.fetching import Fetcher
from sightline_embedder.remotes import Remotes

_THROWN_AWAY = (
    "Its bytes are not kept: those of an upload that is no picture, or whose picture is deleted, are thrown "
    "away. Send it again."
)


@dataclass(frozen=True)
class RawPicture:
    """A picture's file: its bytes and, where the place knows it, when it was last changed.

    `stamp` is a local file's, where any later change of the file will show in it.
    """

    data: bytes
    modified_at: datetime | None
    stamp: FileStamp | None = None


class PictureReader:
    """Reads the bytes that items name: from the media store, import roots and buckets."""

    def __init__(
        self,
        media: MediaStore,
        import_roots: Sequence[Path],
        max_bytes: int,
        buckets: Buckets,
        fetcher: Fetcher,
    ) -> None:
        self._media = media
        self._roots = import_roots
        self._max_bytes = max_bytes
        self._buckets = buckets
        self._fetcher = fetcher

    @classmethod
    def of(cls, settings: Settings, media: MediaStore, remotes: Remotes) -> Self:
        """A reader within what the settings allow."""
        return cls(media, settings.import_roots, settings.max_picture_bytes, remotes.buckets, remotes.fetcher)

    def read(self, collection: str, item: Item) -> RawPicture:
        """The picture's bytes.

        Raises BadPicture with the reason where there are none to be had, and Unavailable when a storage
        does not answer.
        """
        if item.refused is not None:
            raise BadPicture(item.refused.reason, item.refused.detail)
        if item.sha256 is not None:
            return self._read_upload(collection, item.sha256)
        match item.kind:
            case SourceKind.BUCKET:
                content = self._buckets.read(item.uri, self._max_bytes)
                return RawPicture(content.data, content.modified_at)
            case SourceKind.URL:
                fetched = self._fetcher.fetch(item.uri, self._max_bytes)
                return RawPicture(fetched.data, fetched.modified_at)
            case _:
                return self._read_file(path_of(item.uri))

    def _read_upload(self, collection: str, sha256: str) -> RawPicture:
        try:
            return RawPicture(self._media.read_original(collection, sha256), modified_at=None)
        except NotFound as error:
            raise BadPicture(FailureReason.NOT_FOUND, _THROWN_AWAY) from error

    def _read_file(self, path: Path) -> RawPicture:
        try:
            descriptor = open_within(path, self._roots)
            try:
                return self._read_descriptor(path, descriptor)
            finally:
                os.close(descriptor)
        except OutsideRoots as error:
            raise BadPicture(FailureReason.ACCESS_DENIED, str(error)) from error
        except OSError as error:
            raise _as_bad_picture(path, error) from error

    def _read_descriptor(self, path: Path, descriptor: int) -> RawPicture:
        about, now_ns = os.fstat(descriptor), time.time_ns()
        if not stat.S_ISREG(about.st_mode):
            raise BadPicture(FailureReason.NOT_AN_IMAGE, f"{path} is not a regular file.")
        # One byte more than allowed is read, so that a file that grows meanwhile is refused too.
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            data = stream.read(self._max_bytes + 1)
        if len(data) > self._max_bytes:
            raise BadPicture(
                FailureReason.TOO_MANY_BYTES,
                f"{path} has {about.st_size} bytes; the limit is {self._max_bytes}.",
            )
        stamp = FileStamp.of(about)
        return RawPicture(data, _modified_at(about), stamp if stamp.tells(now_ns) else None)


def _modified_at(about: os.stat_result) -> datetime | None:
    """When a file was last changed; None for a time before the year 1 or after 9999, as broken tools set."""
    try:
        return datetime.fromtimestamp(about.st_mtime, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _as_bad_picture(path: Path, error: OSError) -> BadPicture:
    why = f"{path} cannot be read: {os.strerror(error.errno) if error.errno else error}."
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR | errno.ELOOP:
            return BadPicture(FailureReason.NOT_FOUND, why)
        case errno.EACCES | errno.EPERM:
            return BadPicture(FailureReason.ACCESS_DENIED, why)
        case _:
            return BadPicture(FailureReason.INTERNAL, why)
