"""Damage to bytes of any format: flipped, cut, moved, doubled, overwritten, joined."""

import struct
from collections.abc import Callable
from random import Random

HEADER_BYTES = 400
"""Where most of what decoders believe stands."""

SIDES = (
    (15_811, 15_811), (16_383, 15_259), (65_535, 3_814), (3_814, 65_535), (250_000_000, 1), (1, 250_000_000),
    (12_000, 9_000), (7_000, 7_000), (4_000, 3_000), (30_000, 100), (1, 65_500), (0, 64), (64, 0), (1, 1),
)  # fmt: skip
"""Widths and heights: as many pixels as default settings allow, fewer, long ones, none."""

Mutation = Callable[[Random, bytes], bytes]

_LIES = {1: (0, 1, 2, 4, 7, 8, 15, 16, 32, 63, 64, 127, 128, 254, 255)}
_LIES[2] = (*_LIES[1], 256, 511, 4096, 15_811, 16_383, 16_384, 32_767, 32_768, 65_500, 65_535)
_LIES[3] = (*_LIES[2], 65_536, 0x3FFFFF, 0x7FFFFF, 0x800000, 0xFFFFFE, 0xFFFFFF)
_LIES[4] = (*_LIES[3], 250_000_000, 0x3FFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
_LIES[8] = (*_LIES[4], 1 << 32, (1 << 62) - 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def lie(random: Random, truth: int, width: int) -> int:
    """Another unsigned number of `width` bytes: an edge of some type, near the truth, or any."""
    top = (1 << 8 * width) - 1
    match random.randrange(4):
        case 0:
            return (truth + random.choice((-2, -1, 1, 2, 8))) & top
        case 1:
            return random.choice((truth * 2, truth // 2, truth ^ 1 << random.randrange(8 * width))) & top
        case _:
            return random.choice((*_LIES[width], random.randrange(top + 1)))


def lie_in_place(random: Random, data: bytes, at: int, width: int, order: str) -> bytes:
    """The number of `width` bytes at an offset is another one; `order` as in struct."""
    truth = int.from_bytes(data[at : at + width], "little" if order == "<" else "big")
    return overwrite(data, at, pack(order, lie(random, truth, width), width))


def overwrite(data: bytes, at: int, value: bytes) -> bytes:
    """`value` in place of as many bytes."""
    return data[:at] + value + data[at + len(value) :]


def pack(order: str, number: int, width: int) -> bytes:
    """The lowest 1, 2, 3, 4 or 8 bytes of an unsigned number; `order` as in struct."""
    return struct.pack(">Q", number)[8 - width :] if order == ">" else struct.pack("<Q", number)[:width]


def rearranged(random: Random, data: bytes, piece: tuple[int, int], to: int) -> bytes:
    """The piece from one offset to another is missing, or stands once more at `to`, perhaps many times."""
    start, end = piece
    if random.random() < 0.3:
        return data[:start] + data[end:]
    return data[:to] + data[start:end] * random.choice((1, 1, 2, 200)) + data[to:]


def flip_bits(random: Random, data: bytes) -> bytes:
    """Up to 24 bits anywhere."""
    mutated = bytearray(data)
    for _ in range(random.choice((1, 2, 4, 24))):
        mutated[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(mutated)


def flip_header_bits(random: Random, data: bytes) -> bytes:
    """Up to 8 bits near the start."""
    mutated = bytearray(data)
    for _ in range(random.choice((1, 2, 8))):
        mutated[random.randrange(min(HEADER_BYTES, len(data)))] ^= 1 << random.randrange(8)
    return bytes(mutated)


def overwrite_number(random: Random, data: bytes) -> bytes:
    """A lie in place of the 1 to 8 bytes at some offset, most often near the start."""
    width = random.choice((1, 2, 2, 4, 4, 8))
    order = random.choice("<>")
    end = min(HEADER_BYTES, len(data)) if random.random() < 0.8 else len(data)
    at = random.randrange(max(1, end - width))
    return lie_in_place(random, data, at, width, order)


def cut(random: Random, data: bytes) -> bytes:
    """The end is missing."""
    return data[: random.randrange(len(data))]


def cut_out(random: Random, data: bytes) -> bytes:
    """A piece in the middle is missing."""
    start, end = _piece(random, data)
    return data[:start] + data[end:]


def swap_blocks(random: Random, data: bytes) -> bytes:
    """Two blocks of one length have changed places."""
    length = random.choice((2, 4, 12, 64, len(data) // 4))
    one, other = sorted(random.randrange(max(1, len(data) - length)) for _ in range(2))
    other = max(other, one + length)
    between = data[one + length : other]
    return (
        data[:one]
        + data[other : other + length]
        + between
        + data[one : one + length]
        + data[other + length :]
    )


def double_block(random: Random, data: bytes) -> bytes:
    """A block stands there 2 to 40 times."""
    start, end = _piece(random, data)
    return data[:start] + data[start:end] * random.choice((2, 3, 40)) + data[end:]


def insert_noise(random: Random, data: bytes) -> bytes:
    """Random bytes between others."""
    at = random.randrange(len(data))
    return data[:at] + random.randbytes(random.choice((1, 3, 16, 500))) + data[at:]


def blank(random: Random, data: bytes) -> bytes:
    """A range of zeros, or of ones."""
    start, end = _piece(random, data)
    return data[:start] + random.choice((b"\0", b"\xff")) * (end - start) + data[end:]


def add_rubbish(random: Random, data: bytes) -> bytes:
    """Something behind the end."""
    return data + random.choice((bytes(70_000), b"\xff" * 3000, random.randbytes(5000), data))


def splice(random: Random, data: bytes, other: bytes) -> bytes:
    """The beginning of one file and the end of another, of another format perhaps."""
    kept = random.choice((4, 12, 30, random.randrange(len(data))))
    return data[:kept] + other[random.randrange(len(other)) :]


def _piece(random: Random, data: bytes) -> tuple[int, int]:
    start = random.randrange(min(len(data), random.choice((HEADER_BYTES, len(data)))))
    return start, min(len(data), start + random.choice((1, 4, 16, 100, 1000)))


BYTE_MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    flip_header_bits,
    overwrite_number,
    cut,
    cut_out,
    swap_blocks,
    double_block,
    insert_noise,
    blank,
    add_rubbish,
)
