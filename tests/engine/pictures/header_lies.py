"""Headers that lie, in JPEG, PNG, GIF and BMP: well formed enough to be believed."""

import struct
import zlib
from dataclasses import dataclass, replace
from random import Random

import tiff_lies
from byte_mutations import SIDES, flip_bits, lie_in_place, overwrite, rearranged
from seed_pictures import png_chunk

_PNG_BEGINNING = b"\x89PNG\r\n\x1a\n"
_GIF_BLOCK_STARTS = (b"!\xf9\x04", b"!\xff\x0b", b"!\xfe", b",")
_PNG_KINDS = b"IHDR PLTE tRNS IDAT IEND iCCP zTXt iTXt eXIf acTL fcTL fdAT gAMA cHRM pHYs sRGB".split()


def jpeg(random: Random, data: bytes) -> bytes:
    """A segment's length, dimensions, sampling, table numbers or contents; or a segment moved or doubled."""
    segments = _jpeg_segments(data)
    start, end = random.choice(segments)
    marker = data[start + 1]
    if random.random() < 0.2:
        return rearranged(random, data, (start, end), random.choice(segments)[0])
    if data[start + 4 : start + 8] == b"Exif":
        return tiff_lies.exif(random, data)
    if marker in (0xC0, 0xC1, 0xC2) and random.random() < 0.2:
        width, height = random.choice(SIDES)
        return overwrite(data, start + 5, struct.pack(">HH", height & 0xFFFF, width & 0xFFFF))
    if marker in (0xC0, 0xC1, 0xC2) and random.random() < 0.7:
        field, width = random.choice(((4, 1), (5, 2), (7, 2), (5, 4), (9, 1), (10, 1), (11, 1), (14, 1)))
        return lie_in_place(random, data, start + field, width, ">")
    if random.random() < 0.3:
        return lie_in_place(random, data, start + 2, 2, ">")
    if random.random() < 0.2:
        return data[: start + 1] + bytes([random.randrange(0xC0, 0xFF)]) + data[start + 2 :]
    return lie_in_place(random, data, random.randrange(start + 4, max(end, start + 5)), 1, ">")


def _jpeg_segments(data: bytes) -> list[tuple[int, int]]:
    segments, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        segments.append((at, min(end, len(data))))
        at = end
    return segments


@dataclass(frozen=True)
class _Chunk:
    kind: bytes
    body: bytes


def png(random: Random, data: bytes) -> bytes:
    """A chunk's contents, kind or place, with a checksum that is right; or a stream packed anew."""
    chunks = _png_chunks(data)
    number = random.choice((0, 0, random.randrange(len(chunks))))
    chunk = chunks[number]
    match random.randrange(11):
        case 8:
            header = struct.pack(">II", *random.choice(SIDES)) + chunks[0].body[8:]
            chunks[0] = replace(chunks[0], body=header)
        case 9 | 10:
            chunks = [_with_lying_notes(random, one) for one in chunks]
        case 0:
            chunks.insert(random.randrange(len(chunks)), chunk)
        case 1:
            del chunks[number]
        case 2:
            chunks[number] = replace(chunk, kind=random.choice(_PNG_KINDS))
        case 3:
            chunks = [_repacked(random, one) if one.kind in (b"IDAT", b"fdAT") else one for one in chunks]
        case 4:
            chunks.insert(1, _bomb(random))
        case _ if chunk.body:
            width = random.choice((1, 4)) if len(chunk.body) >= 4 else 1
            at = random.choice((0, 4, 8, 9, 12, random.randrange(len(chunk.body))))
            at = min(at, len(chunk.body) - width)
            chunks[number] = replace(chunk, body=lie_in_place(random, chunk.body, at, width, ">"))
        case _:
            chunks[number] = replace(chunk, body=random.randbytes(30))
    return _PNG_BEGINNING + b"".join(png_chunk(one.kind, one.body) for one in chunks)


def _png_chunks(data: bytes) -> list[_Chunk]:
    chunks, at = [], 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunks.append(_Chunk(kind, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def _repacked(random: Random, chunk: _Chunk) -> _Chunk:
    """A sound stream of too much, too little, or filters that do not exist."""
    pixels = random.choice((b"", b"\5" * 50_000, bytes(8_000_000), random.randbytes(13_000)))
    prefix = b"" if chunk.kind == b"IDAT" else chunk.body[:4]
    return replace(chunk, body=prefix + zlib.compress(pixels))


def _with_lying_notes(random: Random, chunk: _Chunk) -> _Chunk:
    """Damage inside an EXIF block or a profile, which stay readable as such."""
    if chunk.kind == b"eXIf":
        return replace(chunk, body=tiff_lies.tiff(random, chunk.body))
    if chunk.kind == b"iCCP":
        name, _, packed = chunk.body.partition(b"\0\0")
        profile = flip_bits(random, zlib.decompress(packed))
        return replace(chunk, body=name + b"\0\0" + zlib.compress(profile))
    return chunk


def _bomb(random: Random) -> _Chunk:
    """A text or profile that unpacks to 16 MB."""
    kind, head = random.choice(((b"zTXt", b"a\0\0"), (b"iCCP", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0")))
    return _Chunk(kind, head + zlib.compress(bytes(16_000_000)))


def gif(random: Random, data: bytes) -> bytes:
    """The screen, a frame's place and size, a colour table's size, a code's width, a block's length."""
    if random.random() < 0.2:
        sides = struct.pack("<HH", *(side & 0xFFFF for side in random.choice(SIDES)))
        return overwrite(overwrite(data, data.index(b",", 13) + 5, sides), 6, sides)
    if random.random() < 0.3:
        field, width = random.choice(((6, 2), (8, 2), (6, 4), (10, 1), (11, 1)))
        return lie_in_place(random, data, field, width, "<")
    starts = [at for start in _GIF_BLOCK_STARTS for at in _occurrences(data, start)]
    at = random.choice(starts)
    if random.random() < 0.2:
        return rearranged(random, data, (at, at + 50), random.choice(starts))
    field, width = random.choice(((1, 2), (3, 2), (5, 2), (7, 2), (5, 4), (9, 1), (10, 1), (11, 1)))
    return lie_in_place(random, data, min(at + field, len(data) - width), width, "<")


def _occurrences(data: bytes, part: bytes) -> list[int]:
    return [at for at in range(len(data)) if data.startswith(part, at)]


def bmp(random: Random, data: bytes) -> bytes:
    """Sizes and offsets, planes, depth, compression, colours: every field that a header has."""
    if random.random() < 0.2:
        data = overwrite(data, 18, struct.pack("<II", *random.choice(SIDES)))
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        field, width = random.choice(
            ((2, 4), (10, 4), (14, 4), (18, 4), (22, 4), (18, 8), (26, 2), (28, 2), (30, 4), (34, 4), (46, 4))
        )
        data = lie_in_place(random, data, field, width, "<")
        if random.random() < 0.3:
            data = data[:30] + bytes([random.randrange(7)]) + data[31:]
    return data
