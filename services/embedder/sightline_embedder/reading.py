"""From a reference to bytes: the one place that opens what a job points at."""

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sightline.errors import BadPicture, FailureReason, NotFound
from sightline.file_uri import path_of
from sightline.media import MediaStore
from sightline.queue.sources import Item
from sightline.roots import real_path, within_roots


@dataclass(frozen=True)
class RawPicture:
    """A picture's file: its bytes and, where the place knows it, when it was last changed."""

    data: bytes
    modified_at: datetime | None


class PictureReader:
    """Reads the bytes that items name, from files in the import roots and from the media store."""

    def __init__(self, media: MediaStore, import_roots: Sequence[Path], max_bytes: int) -> None:
        self._media = media
        self._roots = import_roots
        self._max_bytes = max_bytes

    def read(self, collection: str, item: Item) -> RawPicture:
        """The picture's bytes; raises BadPicture with the reason where there are none to be had."""
        if item.refused is not None:
            raise BadPicture(item.refused.reason, item.refused.detail)
        if item.sha256 is not None:
            return self._read_upload(collection, item.sha256)
        return self._read_file(path_of(item.uri))

    def _read_upload(self, collection: str, sha256: str) -> RawPicture:
        try:
            return RawPicture(self._media.read_original(collection, sha256), modified_at=None)
        except NotFound as error:
            raise BadPicture(FailureReason.NOT_FOUND, str(error)) from error

    def _read_file(self, path: Path) -> RawPicture:
        try:
            real = real_path(path)
            if not within_roots(real, self._roots):
                raise BadPicture(
                    FailureReason.ACCESS_DENIED, f"{path} leads out of the folders that may be imported."
                )
            # O_NONBLOCK: a named pipe would wait for a writer for ever. O_NOFOLLOW: the file may have
            # become a link since it was checked.
            descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                return self._read_descriptor(path, descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _as_bad_picture(path, error) from error

    def _read_descriptor(self, path: Path, descriptor: int) -> RawPicture:
        about = os.fstat(descriptor)
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
        return RawPicture(data, datetime.fromtimestamp(about.st_mtime, UTC))


def _as_bad_picture(path: Path, error: OSError) -> BadPicture:
    why = f"{path} cannot be read: {os.strerror(error.errno) if error.errno else error}."
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR | errno.ELOOP:
            return BadPicture(FailureReason.NOT_FOUND, why)
        case errno.EACCES | errno.EPERM:
            return BadPicture(FailureReason.ACCESS_DENIED, why)
        case _:
            return BadPicture(FailureReason.INTERNAL, why)
