"""Whether a picture's file ends where its own structure says it should.

Asked only after decoding has failed, to tell a file that was cut off from one that is damaged.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from enum import Enum, auto


class Structure(Enum):
    """What the lengths written in a file say about its end."""

    COMPLETE = auto()
    CUT_OFF = auto()
    DAMAGED = auto()


def check_structure(data: bytes, name: str) -> Structure:
    """Follow the lengths in `data`, a file of the readable format `name`, without decoding anything."""
    try:
        return _CHECKS[name](data)
    except (IndexError, struct.error, OverflowError):  # OverflowError: an offset beyond what memory can have
        return Structure.CUT_OFF


def _jpeg(data: bytes) -> Structure:
    position = 2
    while True:
        if data[position] != 0xFF:
            return Structure.DAMAGED
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == 0xDA:
            return Structure.CUT_OFF if data.find(b"\xff\xd9", position) < 0 else Structure.COMPLETE
        if marker == 0xD9:
            return Structure.DAMAGED
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]


def _png(data: bytes) -> Structure:
    position = 8
    while True:
        length, kind = struct.unpack_from(">I4s", data, position)
        if not kind.isalpha():
            return Structure.DAMAGED
        end = position + 12 + length
        if end > len(data):
            return Structure.CUT_OFF
        if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            return Structure.DAMAGED
        if kind == b"IEND":
            return Structure.COMPLETE
        position = end


def _gif(data: bytes) -> Structure:
    position = 13 + _colour_table_bytes(data[10])
    while True:
        match data[position]:
            case 0x3B:
                return Structure.COMPLETE
            case 0x21:
                position += 2
            case 0x2C:
                position += 11 + _colour_table_bytes(data[position + 9])
            case _:
                return Structure.DAMAGED
        while length := data[position]:
            position += 1 + length
        position += 1


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _webp(data: bytes) -> Structure:
    length: int = struct.unpack_from("<I", data, 4)[0]
    return Structure.CUT_OFF if 8 + length > len(data) else Structure.COMPLETE


def _bmp(data: bytes) -> Structure:
    length, _, _, pixels_at, header = struct.unpack_from("<IHHII", data, 2)
    if header not in (12, 16, 40, 52, 56, 64, 108, 124):
        return Structure.DAMAGED
    return Structure.CUT_OFF if max(length, pixels_at) > len(data) else Structure.COMPLETE


def _tiff(data: bytes) -> Structure:
    """Only the first directory's place: where the strips end, the decoder knows better."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    position = struct.unpack_from(f"{order}Q" if big else f"{order}I", data, 8 if big else 4)[0]
    count = struct.unpack_from(f"{order}Q" if big else f"{order}H", data, position)[0]
    end = position + (8 + 20 * count if big else 2 + 12 * count)
    return Structure.CUT_OFF if end > len(data) else Structure.COMPLETE


def _boxes(data: bytes) -> Structure:
    """ISO base media file format (AVIF, HEIC): boxes that begin with their length."""
    position = 0
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if not kind.isalnum():
            return Structure.DAMAGED
        if length == 0:
            return Structure.COMPLETE
        if length == 1:
            length = struct.unpack_from(">Q", data, position + 8)[0]
        if length < 8:
            return Structure.DAMAGED
        position += length
    return Structure.CUT_OFF if position > len(data) else Structure.COMPLETE


def declared_pixels(data: bytes, name: str) -> int:
    """The pixels that the header of a WebP, AVIF or HEIC file declares; 0 where it says nothing."""
    try:
        match name:
            case "webp":
                return _webp_pixels(data)
            case "avif" | "heic":
                return _box_pixels(data)
            case _:
                return 0
    except struct.error:
        return 0


def _webp_pixels(data: bytes) -> int:
    """RFC 9649, sections 2.5 to 2.7."""
    match data[12:16]:
        case b"VP8X":
            width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        case b"VP8L":
            bits = struct.unpack_from("<I", data, 21)[0]
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case _:
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    return width * height


def _box_pixels(data: bytes) -> int:
    """The largest `ispe` property: a picture made of tiles has one for the tiles and one for the whole."""
    most, position = 0, data.find(b"ispe")
    while position >= 0:
        width, height = struct.unpack_from(">II", data, position + 8)
        most, position = max(most, width * height), data.find(b"ispe", position + 4)
    return most


_CHECKS: Mapping[str, Callable[[bytes], Structure]] = {
    "jpeg": _jpeg,
    "png": _png,
    "gif": _gif,
    "webp": _webp,
    "bmp": _bmp,
    "tiff": _tiff,
    "avif": _boxes,
    "heic": _boxes,
}
