"""The content of zip members: stored or deflated, piece by piece."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from sightline.errors import BadPicture, FailureReason
from sightline_embedder.sources.archives.limits import PIECE_BYTES
from sightline_embedder.sources.archives.names import shown
from sightline_embedder.sources.archives.zip_records import (
    DEFLATED,
    LOCAL,
    BadRecord,
    ZipEntry,
    local_variable_length,
    read_local,
)


class Content(Protocol):
    """Content that is read to its end, once. Other reads of the file do not disturb it."""

    @property
    def ended(self) -> bool:
        """Whether all of it was read."""

    @property
    def size(self) -> int:
        """Bytes that came out so far."""

    def read(self) -> bytes:
        """The next piece, empty at the end, be it whole (`ended`) or cut off; raises zlib.error."""


class Stored:
    """Content as it is."""

    def __init__(self, file: BinaryIO, start: int, limit: int) -> None:
        """Reads from byte `start` of the file, and no more than `limit` bytes of it."""
        self._file = file
        self._start = start
        self._limit = limit
        self.size = 0

    @property
    def ended(self) -> bool:
        """See Content."""
        return self.size == self._limit

    def read(self) -> bytes:
        """See Content."""
        self._file.seek(self._start + self.size)
        piece = self._file.read(min(PIECE_BYTES, self._limit - self.size))
        self.size += len(piece)
        return piece


class Deflated:
    """Content that is deflated; it says itself where it ends."""

    def __init__(self, file: BinaryIO, start: int, limit: int) -> None:
        """See Stored."""
        self._file = file
        self._next = start
        self._end = start + limit
        self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
        self._start = start
        self.size = 0

    @property
    def ended(self) -> bool:
        """See Content."""
        return self._zlib.eof

    @property
    def packed(self) -> int:
        """Bytes that went in so far."""
        # After the end both attributes can hold what is left.
        left = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail
        return self._next - self._start - len(left)

    def read(self) -> bytes:
        """See Content."""
        piece = b""
        while not (piece or self._zlib.eof):
            data = self._zlib.unconsumed_tail or self._more()
            piece = self._zlib.decompress(data, PIECE_BYTES)
            if not (data or piece):
                break
        self.size += len(piece)
        return piece

    def _more(self) -> bytes:
        self._file.seek(self._next)
        data = self._file.read(min(PIECE_BYTES, self._end - self._next))
        self._next += len(data)
        return data


def open_content(file: BinaryIO, entry: ZipEntry, end: int) -> Content:
    """The content of a member that must end before byte `end` of the file; raises BadPicture."""
    file.seek(entry.offset)
    fixed = file.read(LOCAL.size)
    try:
        length = local_variable_length(fixed)
        local = read_local(fixed, file.read(length), entry.offset)
    except BadRecord as error:
        raise _unsafe(entry, "is not where the directory of the archive says") from error
    start = entry.offset + LOCAL.size + length
    if local.raw_name != entry.raw_name or local.method != entry.method:
        raise _unsafe(entry, "is something else than the directory of the archive says")
    if start + entry.packed > end:
        raise _unsafe(entry, "overlaps another member")
    return (Deflated if entry.method == DEFLATED else Stored)(file, start, entry.packed)


def checked_chunks(content: Content, entry: ZipEntry) -> Iterator[bytes]:
    """The content in pieces; raises BadPicture unless it is what the entry says of it."""
    crc = 0
    while piece := _piece(content, entry):
        if content.size > entry.size:
            raise _unsafe(entry, f"has more than the {entry.size:,} bytes that the archive says")
        crc = zlib.crc32(piece, crc)
        yield piece
    if not content.ended:
        raise BadPicture(FailureReason.TRUNCATED, f"Member {shown(entry.name)} is cut off.")
    if content.size != entry.size or crc != entry.crc:
        raise damaged_content(entry, "its checksum is wrong")


def damaged_content(entry: ZipEntry, why: str) -> BadPicture:
    """What is raised for content that came out wrong."""
    return BadPicture(FailureReason.NOT_AN_IMAGE, f"Member {shown(entry.name)} is damaged: {why}.")


def _piece(content: Content, entry: ZipEntry) -> bytes:
    try:
        return content.read()
    except zlib.error as error:
        raise damaged_content(entry, str(error)) from error


def _unsafe(entry: ZipEntry, why: str) -> BadPicture:
    return BadPicture(FailureReason.ARCHIVE_MEMBER_UNSAFE, f"Member {shown(entry.name)} {why}.")
