"""Directories that lie: those of TIFF files, and of the EXIF blocks in files of other formats."""

import struct
from random import Random

from byte_mutations import SIDES, lie_in_place, overwrite, pack

_TAGS = (254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325,
         330, 338, 339, 347, 530, 34665, 34675, 34853)  # fmt: skip
_WIDTH, _LONG = 256, 4
_MAGIC = (b"II*\0", b"MM\0*")


def exif(random: Random, data: bytes) -> bytes:
    """The EXIF block of a file lies; the file is as before if it has none."""
    at = max(data.find(magic, 1) for magic in _MAGIC)
    return data if at < 0 else data[:at] + tiff(random, data[at:])


def tiff(random: Random, data: bytes) -> bytes:
    """An entry's tag, type, count or value; how many entries there are; a directory that follows itself."""
    order, big = ("<" if data[:2] == b"II" else ">"), data[2:4] in (b"+\0", b"\0+")
    offset_bytes, count_bytes, entry_bytes = (8, 8, 20) if big else (4, 2, 12)
    start = int.from_bytes(data[8:16] if big else data[4:8], "little" if order == "<" else "big")
    count = struct.unpack_from(order + ("Q" if big else "H"), data, start)[0]
    entries = start + count_bytes
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        entry = entries + entry_bytes * random.randrange(count)
        match random.randrange(10):
            case 0:
                data = lie_in_place(random, data, start, count_bytes, order)
            case 1:
                data = lie_in_place(random, data, 8 if big else 4, offset_bytes, order)
            case 2:
                data = overwrite(data, entries + entry_bytes * count, pack(order, start, offset_bytes))
            case 3:
                data = overwrite(data, entry, pack(order, random.choice(_TAGS), 2))
            case 4:
                data = overwrite(data, entry + 2, pack(order, random.randrange(20), 2))
            case 5:
                data = lie_in_place(random, data, entry + 4, offset_bytes, order)
            case 6 if not big:
                data = _resized(random, data, order, entries)
            case _:
                width = random.choice((2, offset_bytes))
                data = lie_in_place(random, data, entry + 4 + offset_bytes, width, order)
    return data


def _resized(random: Random, data: bytes, order: str, entries: int) -> bytes:
    """Other sides in the two entries that stand first in nearly every file."""
    for number, side in enumerate(random.choice(SIDES)):
        entry = struct.pack(order + "HHII", _WIDTH + number, _LONG, 1, side)
        data = overwrite(data, entries + 12 * number, entry)
    return data
