"""A HEIC made of tiles, as phones write them and pillow-heif does not (ISO 23008-12, 6.6.2.3)."""

import struct

_GRID, _FIRST_TILE = 1, 2
_ESSENTIAL = 0x80
_FILE_TYPE = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def tiled_heic(tile: bytes, columns: int, rows: int, size: tuple[int, int]) -> bytes:
    """`columns` x `rows` times the one picture of the HEIC file `tile`, cut to `size` pixels."""
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    pixels = _body(tile, b"mdat")
    head_bytes = len(_head(tile, columns * rows, size, pixels_at=8, pixel_bytes=0))
    pixels_at = head_bytes + 8 + len(grid)
    head = _head(tile, columns * rows, size, pixels_at, len(pixels))
    return head + _box(b"mdat", grid + pixels)


def _head(tile: bytes, tile_count: int, size: tuple[int, int], pixels_at: int, pixel_bytes: int) -> bytes:
    tiles = range(_FIRST_TILE, _FIRST_TILE + tile_count)
    places = struct.pack(">HHHHII", 1 + tile_count, _GRID, 0, 1, pixels_at - 8, 8)
    places += b"".join(struct.pack(">HHHII", item, 0, 1, pixels_at, pixel_bytes) for item in tiles)
    items = [(_GRID, b"grid"), *((item, b"hvc1") for item in tiles)]
    entries = b"".join(_box(b"infe", struct.pack(">BxxxHH4sx", 2, item, 0, kind)) for item, kind in items)
    made_of = struct.pack(f">HH{tile_count}H", _GRID, tile_count, *tiles)
    properties = _box(b"hvcC", _body(tile, b"hvcC")) + _box(b"ispe", _body(tile, b"ispe"))
    properties += _full_box(b"ispe", struct.pack(">II", *size))
    owners = struct.pack(">IHBB", 1 + tile_count, _GRID, 1, 3)
    owners += b"".join(struct.pack(">HBBB", item, 2, _ESSENTIAL | 1, 2) for item in tiles)
    meta = (
        _full_box(b"hdlr", struct.pack(">I4s13x", 0, b"pict"))
        + _full_box(b"pitm", struct.pack(">H", _GRID))
        + _full_box(b"iloc", b"\x44\0" + places)
        + _full_box(b"iinf", struct.pack(">H", len(items)) + entries)
        + _full_box(b"iref", _box(b"dimg", made_of))
        + _box(b"iprp", _box(b"ipco", properties) + _full_box(b"ipma", owners))
    )
    return _FILE_TYPE + _full_box(b"meta", meta)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full_box(kind: bytes, body: bytes) -> bytes:
    return _box(kind, bytes(4) + body)


def _body(data: bytes, kind: bytes) -> bytes:
    """What the first box of a kind holds."""
    at = data.index(kind)
    return data[at + 4 : at - 4 + struct.unpack_from(">I", data, at - 4)[0]]
