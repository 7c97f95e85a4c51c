"""The compressed formats that tar archives come in, unpacked in bounded steps and memory."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sightline.settings import MIB

XZ_MEMORY_BYTES = 128 * MIB
"""What `xz -9` needs is 65 MiB; an archive may ask for 4 GiB."""
_GZIP_FORMAT = 16 + zlib.MAX_WBITS


class Decompressor(Protocol):
    """What bz2 and lzma have: one compressed stream, unpacked in bounded steps."""

    @property
    def eof(self) -> bool:
        """Whether the end of the compressed stream was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without input."""

    @property
    def unused_data(self) -> bytes:
        """What followed the end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most `max_length` bytes."""


class _Gunzip:
    """zlib's gzip decompressor in the form of Decompressor."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP_FORMAT)
        self._filled = False

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not (self._zlib.eof or self._filled or self._zlib.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece = self._zlib.decompress(self._zlib.unconsumed_tail or data, max_length)
        # A full piece may leave more in zlib's window though it has taken all of the input.
        self._filled = len(piece) == max_length
        return piece


def _unxz() -> Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)


@dataclass(frozen=True)
class Compression:
    """How compressed streams of a format begin, and what unpacks them."""

    magic: bytes
    decompressor: Callable[[], Decompressor]


COMPRESSIONS = (
    Compression(b"\x1f\x8b\x08", _Gunzip),
    Compression(b"BZh", bz2.BZ2Decompressor),
    Compression(b"\xfd7zXZ\0", _unxz),
)
