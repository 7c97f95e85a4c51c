"""Reading ahead: the pictures of a batch are read, looked up, and decoded while the next are read."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from sightline.decoder import Decoded, PictureDecoder, Wanted
from sightline.errors import BadPicture
from sightline.identity import point_id, sha256_of
from sightline.index import VectorIndex
from sightline.payload import Source
from sightline.queue.jobs import Failure
from sightline.queue.sources import Item
from sightline.queue.sync_state import FileStamp
from sightline_embedder.embedding import Destination
from sightline_embedder.reading import PictureReader, RawPicture
from sightline_embedder.stages import Stage, Telemetry

READ_AHEAD_PICTURES = 8
"""Pictures read at once and looked up together; bounds the bytes held before decoding."""
UNDECODED_BYTES = 256 << 20
"""No more is read while more than this waits to be decoded."""


@dataclass(frozen=True)
class ReadPicture:
    """An item whose bytes were read; `decoding` is None when its point exists already, wherever it belongs.

    `read_at_ns` is the Unix time at which decoding could begin.
    """

    item: Item
    sha256: str
    point_id: str
    source: Source
    stamp: FileStamp | None
    decoding: "Future[Decoded] | None"
    read_at_ns: int


class ReadAhead:
    """Reads batches. Safe to call from several threads, which share its readers."""

    def __init__(
        self, reader: PictureReader, decoder: PictureDecoder, index: VectorIndex, telemetry: Telemetry
    ) -> None:
        self._reader = reader
        self._telemetry = telemetry
        self._decoder = decoder
        self._index = index
        self._threads = ThreadPoolExecutor(READ_AHEAD_PICTURES, "picture-reader")

    def read(
        self, collection: str, items: Sequence[Item], destinations: Sequence[Destination]
    ) -> Iterator[ReadPicture | Failure]:
        """What became of each item, lazily; raises Unavailable when a service does not answer.

        Pictures are decoded for the models of all destinations.
        """
        models = tuple(one.model.preprocessing for one in destinations)
        wanted = Wanted(thumbnail=True, perceptual_hash=True, models=models)
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
            with self._telemetry.tracer.span("lookup", {"pictures": len(raw)}):
                known = self._known([point_id(sha256) for _, _, sha256 in raw], destinations)
            now_ns = time.time_ns()
            for item, picture, sha256 in raw:
                point = point_id(sha256)
                if point not in known and point not in decoding:
                    decoding[point] = self._decoder.submit(picture.data, wanted)
                    undecoded.append((decoding[point], len(picture.data)))
                source = Source(kind=item.kind, uri=item.uri, modified_at=picture.modified_at)
                yield ReadPicture(item, sha256, point, source, picture.stamp, decoding.get(point), now_ns)

    def _known(self, ids: Sequence[str], destinations: Sequence[Destination]) -> set[str]:
        """The points that all of the destinations have."""
        known = set(ids)
        for one in destinations:
            known &= self._index.retrieve(one.version, list(known)).keys()
        return known

    def _read_at_once(
        self, collection: str, items: Sequence[Item]
    ) -> Sequence[tuple[Item, RawPicture | BadPicture]]:
        with self._telemetry.tracer.span(Stage.FETCH.value, {"pictures": len(items)}):
            # The readers log for this batch.
            reading = [
                self._threads.submit(copy_context().run, self._read_one, collection, item) for item in items
            ]
            return [(item, future.result()) for item, future in zip(items, reading, strict=True)]

    def _read_one(self, collection: str, item: Item) -> RawPicture | BadPicture:
        try:
            with self._telemetry.timed(Stage.FETCH):
                return self._reader.read(collection, item)
        except BadPicture as error:
            return error


def failure_of(item: Item, error: BadPicture) -> Failure:
    """The record of a picture that cannot be used."""
    return Failure(item=item, reason=error.reason, detail=error.detail, attempts=1, at=datetime.now(UTC))


def _await_room(undecoded: "deque[tuple[Future[Decoded], int]]") -> None:
    while undecoded and (undecoded[0][0].done() or sum(size for _, size in undecoded) > UNDECODED_BYTES):
        wait([undecoded.popleft()[0]])
