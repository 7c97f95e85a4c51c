"""Members of tar archives, in one pass over the archive."""

import sys
import tarfile
from collections.abc import Iterator

from sightline.errors import BadPicture, FailureReason
from sightline.queue.sources import Refusal
from sightline_embedder.sources.archives.limits import PIECE_BYTES
from sightline_embedder.sources.archives.members import ArchiveDamaged, Member, MemberKind
from sightline_embedder.sources.archives.names import shown
from sightline_embedder.sources.archives.streams import ForwardStream
from sightline_embedder.sources.archives.tar_headers import TarHeader, padded, read_header

_KINDS = {
    tarfile.DIRTYPE: MemberKind.FOLDER,
    tarfile.SYMTYPE: MemberKind.LINK,
    tarfile.LNKTYPE: MemberKind.LINK,
    tarfile.CHRTYPE: MemberKind.SPECIAL,
    tarfile.BLKTYPE: MemberKind.SPECIAL,
    tarfile.FIFOTYPE: MemberKind.SPECIAL,
}
"""Types without data, whatever size their header gives. All others are files, as POSIX has it."""


def tar_members(stream: ForwardStream, *, compressed: bool) -> Iterator[Member]:
    """The members, until the end mark; raises ArchiveDamaged where the archive cannot be read on.

    Of a `compressed` archive nobody can tell what a single member takes.
    """
    while (header := read_header(stream)) is not None:
        content = _Content(stream, header)
        yield Member(
            name=header.name,
            kind=_KINDS.get(header.type, MemberKind.FILE),
            size=header.size,
            packed=None if compressed else header.size,
            chunks=content.chunks,
            refused=_refusal(header),
        )
        content.pass_over()
    # The checksums of compressed data come last.
    stream.skip(sys.maxsize)


class _Content:
    """The data of one member, read or passed over."""

    def __init__(self, stream: ForwardStream, header: TarHeader) -> None:
        size = 0 if header.type in _KINDS else header.size
        self._stream = stream
        self._name = header.name
        self._left = size
        self._padding = padded(size) - size

    def chunks(self) -> Iterator[bytes]:
        while self._left:
            try:
                piece = self._stream.read(min(self._left, PIECE_BYTES))
            except ArchiveDamaged as error:
                raise self._cut_off() from error
            if not piece:
                raise self._cut_off()
            self._left -= len(piece)
            yield piece

    def pass_over(self) -> None:
        self._stream.skip(self._left + self._padding)

    def _cut_off(self) -> BadPicture:
        return BadPicture(
            FailureReason.TRUNCATED, f"The archive is damaged or cut off within member {shown(self._name)}."
        )


def _refusal(header: TarHeader) -> Refusal | None:
    if not header.sparse:
        return None
    detail = f"Member {shown(header.name)} is stored as a sparse file, which is not read. Pack it in full."
    return Refusal(reason=FailureReason.UNSUPPORTED_FORMAT, detail=detail)
