"""A process that reads a file of points, in limits of its own. Its answers are MessagePack: data alone."""

from collections.abc import Iterator

import msgspec

from sightline_embedder.errors import SourceError
from sightline_embedder.limited_parser import serve
from sightline_embedder.portable.clip_files import raw_clip_points
from sightline_embedder.portable.points_file import raw_points
from sightline_embedder.portable.rows import Fault, Order, RawPoint, Rows, damaged

_ANSWER_BYTES = 8 << 20
_MAX_ROW_BYTES = 32 << 20
"""Above all that a row may have: sources (checks.py), metadata and a thumbnail."""
_ROWS_AT_ONCE = 512


def main() -> None:
    """Serve the parent: answers are Rows, without any at the end, or a Fault."""
    last = msgspec.msgpack.encode(Rows([]))
    serve(_answers, last=last, said=_said, damage=damaged)


def _answers(data: bytes) -> Iterator[bytes]:
    order = msgspec.msgpack.decode(data, type=Order)
    if order.table is None:
        return _joined(raw_points(order.vectors, order.dimension, order.after))
    return _joined(raw_clip_points(order.vectors, order.table, order.dimension, order.after))


def _said(error: SourceError) -> bytes:
    return msgspec.msgpack.encode(Fault(error.code, error.detail))


def _joined(points: Iterator[RawPoint]) -> Iterator[bytes]:
    """Rows in answers of bounded size."""
    held: list[msgspec.Raw] = []
    size = 0
    for point in points:
        part = msgspec.msgpack.encode(point)
        if len(part) > _MAX_ROW_BYTES:
            part = msgspec.msgpack.encode(RawPoint({}, None, f"has more than {_MAX_ROW_BYTES} bytes"))
        held.append(msgspec.Raw(part))
        size += len(part)
        if len(held) == _ROWS_AT_ONCE or size > _ANSWER_BYTES:
            yield _answer(held)
            held, size = [], 0
    if held:
        yield _answer(held)


def _answer(held: list[msgspec.Raw]) -> bytes:
    return msgspec.msgpack.encode({"type": Rows.__name__, "points": held})
