"""Large answers, sent as fast as their client reads them."""

from collections.abc import AsyncIterator, Mapping

from starlette.responses import StreamingResponse

_PIECE_BYTES = 256 << 10


def response_in_pieces(data: bytes, media_type: str, headers: Mapping[str, str]) -> StreamingResponse:
    """A response that ends when its client has read nearly all of it.

    A body that is sent whole goes at once into a buffer as large as itself.
    """
    length = {"Content-Length": str(len(data))}
    return StreamingResponse(_pieces(data), media_type=media_type, headers={**headers, **length})


async def _pieces(data: bytes) -> AsyncIterator[memoryview]:
    whole = memoryview(data)
    for start in range(0, len(data), _PIECE_BYTES):
        yield whole[start : start + _PIECE_BYTES]
