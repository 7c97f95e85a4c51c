"""Files of points, read in a process of its own: the parent's side."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import msgspec

from sightline_embedder.errors import SourceError
from sightline_embedder.limited_process import LimitedProcess, ParserEnded, limited_process
from sightline_embedder.portable.rows import Fault, Order, RawPoint, Rows, damaged

_PROCESS = "sightline_embedder.portable.reading_process"


def read_points(
    vectors: BinaryIO, table: BinaryIO | None, *, dimension: int, after: int
) -> Iterator[Sequence[RawPoint]]:
    """The rows after the first `after`, some hundred at a time, the next being read meanwhile.

    A file of points has no `table`; of what clip-retrieval wrote it is the metadata. Raises SourceError
    (`import_damaged`), and Unavailable when no process can be started.
    """
    files = [vectors.fileno(), *([table.fileno()] if table else [])]
    order = Order(files[0], files[1] if table else None, dimension, after)
    decoder: msgspec.msgpack.Decoder[Rows | Fault] = msgspec.msgpack.Decoder(Rows | Fault)
    with limited_process(_PROCESS, files) as parser:
        _ask(parser, msgspec.msgpack.encode(order))
        while rows := _received(parser, decoder):
            _ask(parser, b"more")
            yield rows


def _ask(parser: LimitedProcess, request: bytes) -> None:
    try:
        parser.send(request)
    except ParserEnded as error:
        raise damaged(f"Reading the next rows {error}.") from error


def _received(parser: LimitedProcess, decoder: "msgspec.msgpack.Decoder[Rows | Fault]") -> Sequence[RawPoint]:
    try:
        answer = decoder.decode(parser.receive())
    except (ParserEnded, msgspec.MsgspecError) as error:
        raise damaged(f"Reading the next rows {error}.") from error
    if isinstance(answer, Fault):
        raise SourceError(answer.code, answer.detail)
    return answer.points
