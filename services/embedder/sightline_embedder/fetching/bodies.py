"""The bytes of a body: counted as they come, as sent and as unpacked."""

import zlib
from collections.abc import Iterator
from time import monotonic

import httpcore

from sightline.errors import BadPicture, FailureReason
from sightline_embedder.fetching.answers import Answer
from sightline_embedder.fetching.failures import TransientFailure
from sightline_embedder.fetching.limits import FetchLimits

_PIECE_BYTES = 1 << 16
_GZIP_FORMAT = 16 + zlib.MAX_WBITS
_GZIP = frozenset({"gzip", "x-gzip"})
_OTHER_CODINGS = frozenset({"br", "compress", "deflate", "x-compress", "zstd"})


def read_body(
    response: httpcore.Response, answer: Answer, shown: str, max_bytes: int, limits: FetchLimits
) -> Iterator[bytes]:
    """The body in pieces of bounded size, gzip undone.

    Servers send gzip though they were asked not to, so it is unpacked piece by piece under the same limit
    of bytes. Raises BadPicture: `too_many_bytes`, `fetch_timeout` for less than the minimum rate, and
    `fetch_failed` for another compression; and what httpcore raises.
    """
    unpacking = _unpacking(answer.coding, shown)
    if answer.length is not None and answer.length > max_bytes:
        raise too_many_bytes(shown, max_bytes)
    sent = unpacked = 0
    begun = monotonic()
    for chunk in response.iter_stream():
        sent += len(chunk)
        if sent > max_bytes:
            raise too_many_bytes(shown, max_bytes)
        _require_rate(sent, monotonic() - begun, shown, limits)
        for piece in unpacking.pieces(chunk) if unpacking else (chunk,):
            unpacked += len(piece)
            if unpacked > max_bytes:
                raise too_many_bytes(shown, max_bytes)
            yield piece
    if unpacking and not unpacking.complete:
        raise TransientFailure(FailureReason.FETCH_FAILED, f"{shown} was cut off within its gzip data.")


def too_many_bytes(shown: str, max_bytes: int) -> BadPicture:
    """What is raised for a body over the limit."""
    return BadPicture(FailureReason.TOO_MANY_BYTES, f"{shown} has more than {max_bytes} bytes, the limit.")


def _require_rate(sent: int, seconds: float, shown: str, limits: FetchLimits) -> None:
    if seconds > limits.first_byte_s and sent < limits.min_bytes_per_s * seconds:
        raise BadPicture(
            FailureReason.FETCH_TIMEOUT,
            f"{shown} came at less than {limits.min_bytes_per_s} bytes a second and was given up.",
        )


def _unpacking(coding: str, shown: str) -> "_Gunzip | None":
    if coding in _GZIP:
        return _Gunzip(shown)
    if {one.strip() for one in coding.split(",")} & (_OTHER_CODINGS | _GZIP):
        raise BadPicture(
            FailureReason.FETCH_FAILED,
            f"{shown} comes compressed by '{coding[:40]}', unasked; that is not read.",
        )
    # Hosts also put words here that are no compression, such as 'none' and 'utf-8'.
    return None


class _Gunzip:
    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._member = zlib.decompressobj(_GZIP_FORMAT)
        self._any = False

    @property
    def complete(self) -> bool:
        """Whether the data so far may end here."""
        return self._member.eof or not self._any

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What `data` unpacks to, never much of it at once; raises BadPicture for damaged data."""
        self._any = True
        piece = b""
        while data or len(piece) == _PIECE_BYTES:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_FORMAT)
            try:
                piece = self._member.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                sentence = f"{self._shown} says that it is gzip data, which it is not: {error}."
                raise BadPicture(FailureReason.FETCH_FAILED, sentence) from error
            if piece:
                yield piece
            # What follows a member is another one, or padding.
            data = (
                self._member.unused_data.lstrip(b"\0") if self._member.eof else self._member.unconsumed_tail
            )
