"""Headers that lie, in WebP's chunks and the boxes of AVIF and HEIC."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from byte_mutations import SIDES, lie_in_place, overwrite, rearranged

_PARENTS = b"meta iprp ipco iinf moov trak mdia minf stbl dinf iref grpl".split()
_FULL_PARENTS = {b"meta": 4, b"iinf": 6, b"iref": 4}
"""Bytes between the head of a box and the boxes in it."""
_TELLING = b"ispe iloc ipma hvcC av1C pixi infe pitm auxC colr irot imir clap stsz stco stsc tkhd".split()
_WEBP_KINDS = b"VP8 |VP8L|VP8X|ALPH|ANIM|ANMF|ICCP|EXIF|XMP ".split(b"|")


@dataclass(frozen=True)
class _Span:
    """A chunk or box: `start` of its head, `body` and `end` of what it holds."""

    kind: bytes
    start: int
    body: int
    end: int


def webp(random: Random, data: bytes) -> bytes:
    """The file's length, a chunk's length, kind or place, a canvas, a frame, or a picture's own size."""
    spans = list(_webp_chunks(data, 12, len(data)))
    span = random.choice(spans)
    match random.randrange(8):
        case 0:
            return lie_in_place(random, data, 4, 4, "<")
        case 1:
            return lie_in_place(random, data, span.start + 4, 4, "<")
        case 2:
            return overwrite(data, span.start, random.choice(_WEBP_KINDS))
        case 3:
            return rearranged(random, data, (span.start, span.end), random.choice(spans).start)
        case 4:
            return _webp_resized(random, data, span)
        case _:
            field = random.choice(_WEBP_SIZES.get(span.kind, (0, 1, 4)))
            width = random.choice((1, 2, 3))
            return lie_in_place(random, data, min(span.body + field, len(data) - width), width, "<")


_WEBP_SIZES = {
    b"VP8 ": (0, 3, 6, 8, 10, 11, 13),
    b"VP8L": (0, 1, 3, 4, 5, 6),
    b"VP8X": (0, 4, 7),
    b"ANMF": (0, 3, 6, 9, 12, 15),
    b"ALPH": (0, 1, 2, 3),
}
"""Offsets in a chunk of what decoders believe: flags, sizes, places, the first codes."""


def _webp_resized(random: Random, data: bytes, span: _Span) -> bytes:
    width, height = random.choice(SIDES)
    match span.kind:
        case b"VP8X" | b"ANMF":
            sides = b"".join(((side - 1) & 0xFFFFFF).to_bytes(3, "little") for side in (width, height))
            return overwrite(data, span.body + (4 if span.kind == b"VP8X" else 6), sides)
        case b"VP8L":
            bits = (width - 1 & 0x3FFF) | (height - 1 & 0x3FFF) << 14
            return overwrite(data, span.body + 1, bits.to_bytes(4, "little"))
        case _:
            return overwrite(data, span.body + 6, struct.pack("<HH", width & 0x3FFF, height & 0x3FFF))


def _webp_chunks(data: bytes, at: int, end: int) -> Iterator[_Span]:
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        yield _Span(kind, at, at + 8, min(end, at + 8 + length))
        if kind == b"ANMF":
            yield from _webp_chunks(data, at + 24, min(end, at + 8 + length))
        at += 8 + length + length % 2


def boxes(random: Random, data: bytes) -> bytes:
    """A box's length, kind, contents or place; most often of the boxes that say where pictures lie."""
    spans = list(_boxes(data, 0, len(data)))
    telling = [span for span in spans if span.kind in _TELLING]
    span = random.choice(telling if random.random() < 0.7 else spans)
    for _ in range(random.choice((1, 1, 2))):
        match random.randrange(8):
            case 0:
                data = lie_in_place(random, data, span.start, 4, ">")
            case 1:
                data = overwrite(
                    data, span.start + 4, random.choice((*_TELLING, *_PARENTS, b"mdat", b"free"))
                )
            case 2:
                return rearranged(random, data, (span.start, span.end), random.choice(spans).start)
            case 3 | 4 if span.kind == b"ispe":
                data = overwrite(data, span.body + 4, struct.pack(">II", *random.choice(SIDES)))
            case _:
                width = random.choice((1, 1, 2, 4))
                last = max(span.body, span.end - width)
                at = random.randint(span.body, min(last, span.body + random.choice((4, 12, 40, 4000))))
                data = lie_in_place(random, data, min(at, len(data) - width), width, ">")
    return data


def _boxes(data: bytes, at: int, end: int) -> Iterator[_Span]:
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, at)
        span = _Span(kind, at, at + 8, min(end, at + length))
        yield span
        if kind in _PARENTS:
            yield from _boxes(data, span.body + _FULL_PARENTS.get(kind, 0), span.end)
        if length < 8:
            return
        at += length
