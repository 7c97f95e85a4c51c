"""Reading forward: the bytes of a tar archive, as they are or unpacked on the way."""

import lzma
import zlib
from typing import BinaryIO, Protocol

from sightline_embedder.sources.archives.decompressors import XZ_MEMORY_BYTES, Compression
from sightline_embedder.sources.archives.limits import Unpacked, swollen, too_large
from sightline_embedder.sources.archives.members import ArchiveDamaged

_STEP_BYTES = 16 << 10
"""Data is unpacked in steps of this size: where it is damaged, a step is lost that was good so far."""
_INPUT_BYTES = 32 << 10


class ForwardStream(Protocol):
    """Bytes that are read once, in order."""

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer only at the end; raises ArchiveDamaged."""

    def skip(self, count: int) -> None:
        """Pass over bytes, or over all that are left."""


class PlainStream:
    """A file as it is; what is skipped is not read."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        file.seek(0)

    def read(self, count: int) -> bytes:
        """See ForwardStream."""
        return self._file.read(count)

    def skip(self, count: int) -> None:
        """See ForwardStream."""
        self._file.seek(min(self._file.tell() + count, self._size))


class UnpackingStream:
    """What compressed streams, one after the other in a file, unpack to.

    Counts every byte that comes out, also of what is skipped, and raises SourceError
    (`archive_too_large`) when it is too much, in all or for what went in.
    """

    def __init__(self, file: BinaryIO, compression: Compression, unpacked: Unpacked) -> None:
        self._file = file
        self._compression = compression
        self._decompressor = compression.decompressor()
        self._unpacked = unpacked
        self._piece = b""
        self._at = 0
        self._counted = 0
        self._ended = False
        self._damage: ArchiveDamaged | None = None
        file.seek(0)

    def read(self, count: int) -> bytes:
        """See ForwardStream."""
        parts: list[bytes] = []
        while count and self._fill():
            part = self._piece[self._at : self._at + count]
            self._at += len(part)
            count -= len(part)
            parts.append(part)
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """See ForwardStream."""
        while count and self._fill():
            step = min(count, len(self._piece) - self._at)
            self._at += step
            count -= step

    def _fill(self) -> bool:
        """Whether there are bytes to take."""
        while self._at == len(self._piece):
            if self._damage is not None:
                raise self._damage
            if self._ended:
                return False
            self._piece, self._at = self._next_piece(), 0
        return True

    def _next_piece(self) -> bytes:
        data = b""
        if self._decompressor.eof:
            data = self._next_stream()
            if not data:
                self._ended = True
                return b""
        elif self._decompressor.needs_input:
            data = self._file.read(_INPUT_BYTES)
            if not data:
                raise self._damaged("is cut off")
        return self._decompressed(data)

    def _next_stream(self) -> bytes:
        """The beginning of the stream that follows the one that ended, or nothing.

        Padding, and what is no stream, is passed over at the end of a file, as gzip does; a tar archive
        that has not ended by then is damaged all the same.
        """
        magic = self._compression.magic
        data = self._decompressor.unused_data.lstrip(b"\0")
        while len(data) < len(magic) and (more := self._file.read(_INPUT_BYTES)):
            data = (data + more).lstrip(b"\0")
        if not data.startswith(magic):
            return b""
        self._decompressor = self._compression.decompressor()
        return data

    def _decompressed(self, data: bytes) -> bytes:
        try:
            piece = self._decompressor.decompress(data, _STEP_BYTES)
        except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
            if "memory usage limit" in str(error).lower():
                raise too_large(
                    f"The archive needs more than {XZ_MEMORY_BYTES:,} bytes of memory to be unpacked. "
                    f"Compress it with a smaller dictionary."
                ) from error
            raise self._damaged(f"is damaged ({error})") from error
        self._count(len(piece))
        return piece

    def _damaged(self, how: str) -> ArchiveDamaged:
        self._damage = ArchiveDamaged(f"The compressed data of the archive {how}.")
        return self._damage

    def _count(self, size: int) -> None:
        position = self._file.tell()
        packed, self._counted = position - self._counted, position
        if self._unpacked.swells(size, packed):
            raise swollen()
        self._unpacked.add(size, packed)
