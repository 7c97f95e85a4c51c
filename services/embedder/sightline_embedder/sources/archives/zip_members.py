"""Members of zip archives, in the order of the archive's directory."""

import stat
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import BinaryIO

from sightline.errors import FailureReason
from sightline.queue.sources import Refusal
from sightline.settings import MIB
from sightline_embedder.sources.archives.limits import ArchiveLimits, too_large, too_many_members
from sightline_embedder.sources.archives.members import ArchiveDamaged, Member, MemberKind
from sightline_embedder.sources.archives.names import shown
from sightline_embedder.sources.archives.zip_content import checked_chunks, open_content
from sightline_embedder.sources.archives.zip_directory import ZipDirectory
from sightline_embedder.sources.archives.zip_extents import Extents
from sightline_embedder.sources.archives.zip_records import DEFLATED, ENCRYPTED_FLAG, STORED, ZipEntry

_DIRECTORY_BYTES_PER_MEMBER = 1024
"""A generous share for names and attributes; the format allows 192 KiB."""
_METHODS = {9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 95: "xz", 98: "ppmd", 99: "aes"}


def zip_members(directory: ZipDirectory, limits: ArchiveLimits) -> Iterator[Member]:
    """The members; raises ArchiveDamaged at the first entry of the directory that is none.

    The directory is read twice, the first time to see where the members begin.
    """
    extents = _survey(directory, limits)
    for entry in directory.entries():
        overlap = extents.claim(entry)
        chunks = partial(_chunks, directory.file, entry, extents.end_of(entry))
        yield zip_member(entry, chunks, refusal_of(entry, overlap))


def zip_member(
    entry: ZipEntry, chunks: Callable[[], Iterator[bytes]], refused: Refusal | None, *, sized: bool = True
) -> Member:
    """A member as its entry has it; without sizes where it is not `sized`."""
    size, packed = (entry.size, entry.packed) if sized else (None, None)
    return Member(entry.name, _kind_of(entry), size, packed, chunks, refused)


def refusal_of(entry: ZipEntry, overlap: str | None = None) -> Refusal | None:
    """Why the content of a member cannot be read, whatever it is."""
    if overlap is not None:
        return _refusal(FailureReason.ARCHIVE_MEMBER_UNSAFE, entry, overlap)
    if entry.flags & ENCRYPTED_FLAG:
        return _refusal(FailureReason.ACCESS_DENIED, entry, "is encrypted")
    if entry.method not in (STORED, DEFLATED):
        method = _METHODS.get(entry.method, f"method {entry.method}")
        why = f"is compressed with {method}, which is not read. Pack it with deflate"
        return _refusal(FailureReason.UNSUPPORTED_FORMAT, entry, why)
    return None


def _survey(directory: ZipDirectory, limits: ArchiveLimits) -> Extents:
    length = directory.end - directory.start
    if length > max(limits.members * _DIRECTORY_BYTES_PER_MEMBER, MIB):
        raise too_large(f"The archive has a directory of {length:,} bytes. Split the archive.")
    offsets = array("Q")
    # Listing comes to the same place and says so, after all that lies before it.
    with suppress(ArchiveDamaged):
        for entry in directory.entries():
            if len(offsets) == limits.members:
                raise too_many_members(limits)
            offsets.append(entry.offset)
    return Extents(offsets, directory.start)


def _chunks(file: BinaryIO, entry: ZipEntry, end: int) -> Iterator[bytes]:
    yield from checked_chunks(open_content(file, entry, end), entry)


def _kind_of(entry: ZipEntry) -> MemberKind:
    if entry.raw_name.endswith(b"/") or stat.S_ISDIR(entry.mode):
        return MemberKind.FOLDER
    if stat.S_ISLNK(entry.mode):
        return MemberKind.LINK
    return MemberKind.FILE if stat.S_IFMT(entry.mode) in (0, stat.S_IFREG) else MemberKind.SPECIAL


def _refusal(reason: FailureReason, entry: ZipEntry, why: str) -> Refusal:
    return Refusal(reason=reason, detail=f"Member {shown(entry.name)} {why}.")
