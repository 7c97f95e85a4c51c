"""From rows of clip-retrieval to points: by a picture's bytes where they can be read, else by its source."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime

from sightline.decoder import Decoded, PictureDecoder, Wanted
from sightline.encoder.artifact import Manifest
from sightline.errors import BadPicture, FailureReason
from sightline.identity import point_id, sha256_of, source_key, unread_point_id
from sightline.index import Point, VectorIndex
from sightline.payload import UNKNOWN_FORMAT, FirstIndexed, GeoPoint, Payload, Source
from sightline.queue.jobs import Job
from sightline.queue.sources import Item
from sightline_embedder.completing import tags_of
from sightline_embedder.portable.clip_rows import ClipRow
from sightline_embedder.reading import PictureReader, RawPicture

NUMERICS = "clip-retrieval"
"""In the place of a precision and a runtime: nothing is known of those."""
_AT_ONCE = 32
"""Pictures whose bytes are held."""
_NOT_HERE = frozenset({FailureReason.NOT_FOUND, FailureReason.ACCESS_DENIED})


@dataclass(frozen=True)
class Found:
    """What a row became: a point, or why none; `decoded` is its picture, if it could be read and is new."""

    row: ClipRow
    point: Point | BadPicture
    decoded: Decoded | None = None


@dataclass(frozen=True)
class _Read:
    raw: RawPicture
    sha256: str
    decoding: "Future[Decoded] | None"


class ClipPictures:
    """Makes the points of one job. Raises Unavailable when a service does not answer."""

    def __init__(
        self, reader: PictureReader, decoder: PictureDecoder, index: VectorIndex, model: Manifest, job: Job
    ) -> None:
        self._reader = reader
        self._decoder = decoder
        self._index = index
        self._model = model
        self._wanted = Wanted(thumbnail=True, perceptual_hash=True, models=(model.preprocessing,))
        self._job = job

    def found(self, rows: Sequence[ClipRow]) -> Iterator[Found]:
        """What the rows become, in their order."""
        for some in _parts(rows):
            read = [self._read(row) for row in some]
            for row, one in zip(some, read, strict=True):
                try:
                    yield self._point(row, one)
                except BadPicture as error:
                    yield Found(row, error)

    def _read(self, row: ClipRow) -> _Read | BadPicture | None:
        """The picture of a row; None where it is not to be had here, BadPicture where it cannot be used."""
        if row.file is None:
            return None
        try:
            raw = self._reader.read(self._job.request.collection, Item(number=0, **dict(row.file)))
        except BadPicture as error:
            return None if error.reason in _NOT_HERE else error
        sha256 = sha256_of(raw.data)
        there = self._index.retrieve(self._job.request.collection, [point_id(sha256)])
        return _Read(raw, sha256, None if there else self._decoder.submit(raw.data, self._wanted))

    def _point(self, row: ClipRow, read: _Read | BadPicture | None) -> Found:
        if isinstance(read, BadPicture):
            raise read
        if read is None:
            return Found(row, self._unread(row))
        decoded = None if read.decoding is None else read.decoding.result()
        payload = self._payload(row, read)
        if decoded is not None:
            info = decoded.info
            place = info.location
            payload = payload.model_copy(
                update={
                    "format": info.format,
                    "width": info.width,
                    "height": info.height,
                    "bytes": info.bytes,
                    "taken_at": info.taken_at,
                    "camera": info.camera,
                    "location": GeoPoint(lat=place.lat, lon=place.lon) if place else None,
                    "perceptual_hash": decoded.perceptual_hash,
                    "sort_at": info.taken_at or payload.sort_at,
                }
            )
        return Found(row, Point(point_id(read.sha256), row.vector, payload), decoded)

    def _unread(self, row: ClipRow) -> Point:
        payload = self._payload(row, None)
        known = point_id(row.sha256) if row.sha256 else unread_point_id(row.ref.uri)
        return Point(known, row.vector, payload)

    def _payload(self, row: ClipRow, read: _Read | None) -> Payload:
        now = datetime.now(UTC)
        modified_at = read.raw.modified_at if read else None
        refs = [row.ref] if read is None or row.file is None else [row.file]
        if read is not None and row.ref.uri.startswith(("http://", "https://")):
            refs.append(row.ref)
        sources = {
            source_key(ref.uri): Source(kind=ref.kind, uri=ref.uri, modified_at=modified_at) for ref in refs
        }
        width, height = row.size
        return Payload(
            sha256=read.sha256 if read else row.sha256,
            space=self._model.space,
            model=self._model.name,
            numerics=NUMERICS,
            format=UNKNOWN_FORMAT,
            width=width,
            height=height,
            bytes=len(read.raw.data) if read else None,
            indexed_at=now,
            sort_at=modified_at or now,
            tags=tags_of(self._job, Item(number=0, **dict(row.ref))),
            metadata=self._job.request.metadata | row.ref.metadata,
            sources=sources,
            first_indexed=FirstIndexed(job=self._job.id, source=source_key(refs[0].uri)),
        )


def _parts(rows: Sequence[ClipRow]) -> Iterator[Sequence[ClipRow]]:
    yield from (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
