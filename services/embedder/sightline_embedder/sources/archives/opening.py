"""From a file to the members of the archive that it is, by its content."""

from collections.abc import Iterator
from typing import BinaryIO

from sightline.settings import MIB
from sightline_embedder.errors import SourceError
from sightline_embedder.sources.archives.decompressors import COMPRESSIONS
from sightline_embedder.sources.archives.limits import ArchiveLimits, Unpacked
from sightline_embedder.sources.archives.members import Member
from sightline_embedder.sources.archives.streams import (
    ForwardStream,
    PlainStream,
    UnpackingStream,
)
from sightline_embedder.sources.archives.tar_headers import BLOCK_BYTES, END_BLOCK, is_tar_header
from sightline_embedder.sources.archives.tar_members import tar_members
from sightline_embedder.sources.archives.zip_directory import find_directory
from sightline_embedder.sources.archives.zip_members import zip_members
from sightline_embedder.sources.archives.zip_records import END_SIGNATURE, LOCAL_SIGNATURE
from sightline_embedder.sources.archives.zip_salvage import salvaged_members

_EMPTY_TAR_BYTES = MIB


def open_archive(file: BinaryIO, size: int, limits: ArchiveLimits, unpacked: Unpacked) -> Iterator[Member]:
    """The members of a seekable file of `size` bytes; they raise as `Member` says, and ArchiveDamaged.

    Raises SourceError: `archive_unsupported` for anything but zip, tar, and tar in gzip, bzip2 or xz.
    """
    file.seek(0)
    head = file.read(BLOCK_BYTES)
    if head.startswith((LOCAL_SIGNATURE, END_SIGNATURE)):
        directory = find_directory(file, size)
        if directory is None:
            return salvaged_members(file, size, unpacked)
        return zip_members(directory, limits)
    compression = next((one for one in COMPRESSIONS if head.startswith(one.magic)), None)
    if compression is None:
        _require_tar(PlainStream(file, size), "The file is no zip, tar, tar.gz, tar.bz2 or tar.xz archive.")
        return tar_members(PlainStream(file, size), compressed=False)
    # A count of its own: what is looked at here is unpacked again.
    ahead = UnpackingStream(file, compression, Unpacked(limits))
    _require_tar(ahead, "The file is compressed, but what is in it is no tar archive.")
    return tar_members(UnpackingStream(file, compression, unpacked), compressed=True)


def _require_tar(stream: ForwardStream, otherwise: str) -> None:
    block = stream.read(BLOCK_BYTES)
    if block == END_BLOCK:
        # An archive of nothing. Other files, such as images of disks, begin with zeros and go on.
        rest = stream.read(_EMPTY_TAR_BYTES)
        sound = len(rest) < _EMPTY_TAR_BYTES and not rest.strip(b"\0")
    else:
        sound = is_tar_header(block)
    if not sound:
        raise SourceError("archive_unsupported", otherwise)
