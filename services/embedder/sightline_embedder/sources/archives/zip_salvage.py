"""Zip archives without their directory, as a broken download leaves them: read from the front."""

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from sightline.errors import BadPicture, FailureReason
from sightline_embedder.sources.archives.limits import Unpacked, swollen
from sightline_embedder.sources.archives.members import ArchiveDamaged, Member
from sightline_embedder.sources.archives.names import shown
from sightline_embedder.sources.archives.zip_content import (
    Deflated,
    Stored,
    checked_chunks,
    damaged_content,
)
from sightline_embedder.sources.archives.zip_members import refusal_of, zip_member
from sightline_embedder.sources.archives.zip_records import (
    DEFLATED,
    DESCRIPTOR_FLAG,
    DESCRIPTOR_SIGNATURE,
    LOCAL,
    BadRecord,
    ZipEntry,
    local_variable_length,
    read_local,
)

_LONGEST_DESCRIPTOR = len(DESCRIPTOR_SIGNATURE) + 20


def salvaged_members(file: BinaryIO, size: int, unpacked: Unpacked) -> Iterator[Member]:
    """The members that lie before the damage, one after the other; then raises ArchiveDamaged, always.

    Members whose length is written behind them are unpacked to find their end, within the limits.
    """
    position = 0
    try:
        while True:
            entry, start = _local_at(file, position)
            if entry.packed or not entry.flags & DESCRIPTOR_FLAG:
                content = (Deflated if entry.method == DEFLATED else Stored)(file, start, entry.packed)
                yield zip_member(entry, partial(checked_chunks, content, entry), refusal_of(entry))
                position = start + entry.packed
                if entry.flags & DESCRIPTOR_FLAG:
                    position += _descriptor_bytes(file, position, entry.crc, entry.packed, entry.size)
            else:
                unsized = _Unsized(file, entry, start, size, unpacked)
                yield zip_member(entry, unsized.chunks, refusal_of(entry), sized=False)
                position = unsized.end()
    except BadRecord as error:
        raise ArchiveDamaged(
            f"The archive has no directory, as one that was cut off; its members were read up to byte "
            f"{position:,}."
        ) from error


class _Unsized:
    """Content that is followed by its length: only what is deflated says itself where it ends."""

    def __init__(self, file: BinaryIO, entry: ZipEntry, start: int, size: int, unpacked: Unpacked) -> None:
        if entry.method != DEFLATED:
            raise BadRecord
        self._file = file
        self._entry = entry
        self._start = start
        self._content = Deflated(file, start, size - start)
        self._unpacked = unpacked
        self._crc = 0

    def chunks(self) -> Iterator[bytes]:
        try:
            while piece := self._read():
                yield piece
            self.end()
        except zlib.error as error:
            raise damaged_content(self._entry, str(error)) from error
        except BadRecord as error:
            raise BadPicture(
                FailureReason.TRUNCATED, f"Member {shown(self._entry.name)} is cut off."
            ) from error

    def end(self) -> int:
        """Where the next member begins; raises BadRecord if the end is not to be found."""
        try:
            while self._read():
                pass
        except zlib.error as error:
            raise BadRecord from error
        if not self._content.ended:
            raise BadRecord
        packed = self._content.packed
        end = self._start + packed
        return end + _descriptor_bytes(self._file, end, self._crc, packed, self._content.size)

    def _read(self) -> bytes:
        before = self._content.packed
        piece = self._content.read()
        packed = self._content.packed - before
        if self._unpacked.swells(len(piece), packed):
            raise swollen()
        self._unpacked.add(len(piece), packed)
        self._crc = zlib.crc32(piece, self._crc)
        return piece


def _local_at(file: BinaryIO, position: int) -> tuple[ZipEntry, int]:
    """The local header at a byte of the file, and where its content starts; raises BadRecord."""
    file.seek(position)
    fixed = file.read(LOCAL.size)
    length = local_variable_length(fixed)
    return read_local(fixed, file.read(length), position), position + LOCAL.size + length


def _descriptor_bytes(file: BinaryIO, position: int, crc: int, packed: int, size: int) -> int:
    """The length of the descriptor of a member, which comes in four forms; raises BadRecord."""
    file.seek(position)
    found = file.read(_LONGEST_DESCRIPTOR)
    forms = [struct.pack("<LQQ", crc, packed, size)]
    if max(packed, size) < 1 << 32:
        forms.append(struct.pack("<3L", crc, packed, size))
    for form in forms:
        for descriptor in (DESCRIPTOR_SIGNATURE + form, form):
            if found.startswith(descriptor):
                return len(descriptor)
    raise BadRecord
