"""Reading ahead: the pictures of a batch are read, looked up, and decoded while the next are read."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from sightline.decoder import Decoded, PictureDecoder
from sightline.errors import BadPicture
from sightline.identity import point_id, sha256_of
from sightline.index import VectorIndex
from sightline.payload import Source
from sightline.queue.jobs import Failure
from sightline.queue.sources import Item
from sightline.queue.sync_state import FileStamp
from sightline_embedder.reading import PictureReader, RawPicture

READ_AHEAD_PICTURES = 8
"""Pictures read at once and looked up together; bounds the bytes held before decoding."""
UNDECODED_BYTES = 256 << 20
"""No more is read while more than this waits to be decoded."""


@dataclass(frozen=True)
class ReadPicture:
    """An item whose bytes were read; `decoding` is None when its point exists already."""

    item: Item
    sha256: str
    point_id: str
    source: Source
    stamp: FileStamp | None
    decoding: "Future[Decoded] | None"


class ReadAhead:
    """Reads batches. Safe to call from several threads, which share its readers."""

    def __init__(self, reader: PictureReader, decoder: PictureDecoder, index: VectorIndex) -> None:
        self._reader = reader
        self._decoder = decoder
        self._index = index
        self._threads = ThreadPoolExecutor(READ_AHEAD_PICTURES, "picture-reader")

    def read(self, collection: str, items: Sequence[Item]) -> Iterator[ReadPicture | Failure]:
        """What became of each item, lazily; raises Unavailable when a service does not answer."""
        decoding: dict[str, Future[Decoded]] = {}
        undecoded: deque[tuple[Future[Decoded], int]] = deque()
        remaining = iter(items)
        while ahead := list(islice(remaining, READ_AHEAD_PICTURES)):
            _await_room(undecoded)
            raw: list[tuple[Item, RawPicture, str]] = []
            for item, found in self._read_at_once(collection, ahead):
                if isinstance(found, BadPicture):
                    yield failure_of(item, found)
                else:
                    raw.append((item, found, sha256_of(found.data)))
            known = self._index.retrieve(collection, [point_id(sha256) for _, _, sha256 in raw])
            for item, picture, sha256 in raw:
                point = point_id(sha256)
                if point not in known and point not in decoding:
                    decoding[point] = self._decoder.submit(picture.data)
                    undecoded.append((decoding[point], len(picture.data)))
                source = Source(kind=item.kind, uri=item.uri, modified_at=picture.modified_at)
                yield ReadPicture(item, sha256, point, source, picture.stamp, decoding.get(point))

    def _read_at_once(
        self, collection: str, items: Sequence[Item]
    ) -> Iterator[tuple[Item, RawPicture | BadPicture]]:
        reading = [self._threads.submit(self._reader.read, collection, item) for item in items]
        for item, future in zip(items, reading, strict=True):
            try:
                yield item, future.result()
            except BadPicture as error:
                yield item, error


def failure_of(item: Item, error: BadPicture) -> Failure:
    """The record of a picture that cannot be used."""
    return Failure(item=item, reason=error.reason, detail=error.detail, attempts=1, at=datetime.now(UTC))


def _await_room(undecoded: "deque[tuple[Future[Decoded], int]]") -> None:
    while undecoded and (undecoded[0][0].done() or sum(size for _, size in undecoded) > UNDECODED_BYTES):
        wait([undecoded.popleft()[0]])
