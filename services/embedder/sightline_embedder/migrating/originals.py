"""The bytes of pictures that are indexed already: from where they were found, or what is left of them."""

from dataclasses import dataclass

from sightline.errors import BadPicture, FailureReason, MediaNotFound
from sightline.identity import sha256_of
from sightline.index import StoredPoint
from sightline.media import MediaStore
from sightline.queue.sources import Item, SourceKind
from sightline_embedder.reading import PictureReader


@dataclass(frozen=True)
class Found:
    """A picture's bytes. Without `data` there are none to be had; `fault` says why there is no original."""

    data: bytes | None
    fault: BadPicture | None = None


class OriginalFinder:
    """Finds originals of points. Safe to use from several threads."""

    def __init__(self, reader: PictureReader, media: MediaStore) -> None:
        self._reader = reader
        self._media = media

    def original(self, collection: str, point: StoredPoint) -> Found:
        """The bytes that the point was made from, told by their hash; of a point without one, its source's.

        Raises Unavailable where a storage that may have them does not answer.
        """
        sha256 = point.payload.sha256
        fault = BadPicture(FailureReason.NOT_FOUND, "Only its vector was imported.")
        if sha256 is not None:
            try:
                return Found(self._media.read_original(collection, sha256))
            except MediaNotFound as error:
                fault = BadPicture(FailureReason.NOT_FOUND, str(error))
        for source in point.payload.sources.values():
            if source.kind not in (SourceKind.FOLDER, SourceKind.BUCKET, SourceKind.URL):
                continue
            try:
                data = self._reader.read(
                    collection, Item(number=0, kind=SourceKind(source.kind), uri=source.uri)
                ).data
            except BadPicture as error:
                fault = error
            else:
                if sha256 in (None, sha256_of(data)):
                    return Found(data)
                detail = f"{source.uri} has changed since it was indexed."
                fault = BadPicture(FailureReason.NOT_FOUND, detail)
        return Found(None, fault)

    def thumbnail(self, collection: str, point: StoredPoint) -> bytes | None:
        """The picture small, if that was kept; raises Unavailable."""
        try:
            return self._media.read_thumbnail(collection, point.id)
        except MediaNotFound:
            return None
