"""The directory of a zip archive: found, and read entry by entry."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sightline_embedder.sources.archives.limits import PIECE_BYTES
from sightline_embedder.sources.archives.members import ArchiveDamaged
from sightline_embedder.sources.archives.zip_records import (
    END,
    END_SIGNATURE,
    ENTRY,
    ZIP64_END,
    ZIP64_END_SIGNATURE,
    ZIP64_LOCATOR,
    ZIP64_LOCATOR_SIGNATURE,
    BadRecord,
    ZipEntry,
    read_entry,
    variable_length,
)

_COMMENT_BYTES = (1 << 16) - 1


@dataclass(frozen=True)
class ZipDirectory:
    """Where the directory lies in the file, in bytes; its entries are never all in memory."""

    file: BinaryIO
    start: int
    end: int

    def entries(self) -> Iterator[ZipEntry]:
        """The entries in their order; raises ArchiveDamaged at the first that is none."""
        window = _Window(self.file, self.start, self.end)
        while fixed := window.take(ENTRY.size):
            try:
                yield read_entry(fixed, window.take(variable_length(fixed)))
            except BadRecord as error:
                raise ArchiveDamaged("The directory of the archive is damaged.") from error


def find_directory(file: BinaryIO, size: int) -> ZipDirectory | None:
    """The directory, or None where the file does not end in one.

    It must lie right before the record that names it, as every writer puts it: an archive within an
    archive that was cut off is not taken for the archive.
    """
    tail_at = max(0, size - END.size - _COMMENT_BYTES)
    file.seek(tail_at)
    tail = file.read(size - tail_at)
    found = tail.rfind(END_SIGNATURE)
    if found < 0 or len(tail) < found + END.size:
        return None
    end = tail_at + found
    _, _, _, _, _, length, start, _ = END.unpack_from(tail, found)
    zip64 = _find_zip64(file, end)
    if zip64 is not None:
        end, length, start = zip64
    return ZipDirectory(file, start, end) if start + length == end else None


def _find_zip64(file: BinaryIO, end: int) -> tuple[int, int, int] | None:
    """Where the zip64 record is, how many bytes the directory has, and where it starts."""
    locator_at = end - ZIP64_LOCATOR.size
    if locator_at < ZIP64_END.size:
        return None
    file.seek(locator_at)
    signature, _, record_at, _ = ZIP64_LOCATOR.unpack(file.read(ZIP64_LOCATOR.size))
    if signature != ZIP64_LOCATOR_SIGNATURE or record_at + ZIP64_END.size > locator_at:
        return None
    file.seek(record_at)
    record = ZIP64_END.unpack(file.read(ZIP64_END.size))
    return (record_at, record[8], record[9]) if record[0] == ZIP64_END_SIGNATURE else None


class _Window:
    """A stretch of a file, read in order whatever else is read of the file meanwhile."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self._next = start
        self._end = end
        self._ahead = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end of the stretch."""
        if self._at + count > len(self._ahead):
            self._refill(count)
        taken = self._ahead[self._at : self._at + count]
        self._at += len(taken)
        return taken

    def _refill(self, count: int) -> None:
        self._file.seek(self._next)
        wanted = min(max(count, PIECE_BYTES), self._end - self._next)
        read = self._file.read(wanted)
        self._next += len(read)
        self._ahead = self._ahead[self._at :] + read
        self._at = 0
