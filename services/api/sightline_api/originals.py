"""The bytes a picture was indexed from: the stored upload, or the file or object it was found in."""

from sightline.buckets import Buckets
from sightline.errors import BadPicture, NotFound, Unavailable
from sightline.file_uri import path_of
from sightline.identity import sha256_of
from sightline.index import StoredPoint
from sightline.media import MediaStore
from sightline.payload import Source
from sightline.queue.sources import SourceKind
from sightline.roots import within_roots
from sightline.settings import Settings

CONTENT_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
    "avif": "image/avif",
    "heic": "image/heic",
}


class Originals:
    """Reads originals wherever they are. Safe to use from several threads."""

    def __init__(self, settings: Settings, media: MediaStore, buckets: Buckets) -> None:
        self._settings = settings
        self._media = media
        self._buckets = buckets

    def read(self, collection: str, point: StoredPoint) -> bytes:
        """The original's bytes, whose hash is the picture's own.

        Files and objects are read only inside the import roots and the buckets as they are set now, and
        only while they still are what was indexed: a point's sources are data, not permission. Raises
        NotFound where they are gone, and Unavailable where a storage that may have them does not answer.
        """
        silent: Unavailable | None = None
        for source in point.payload.sources.values():
            try:
                data = self._from_source(collection, point, source)
            except Unavailable as error:
                silent = error
            else:
                if data is not None and sha256_of(data) == point.payload.sha256:
                    return data
        if silent is not None:
            raise silent
        raise NotFound(
            f"The original of image {point.id} was moved, changed or removed since it was indexed."
        )

    def _from_source(self, collection: str, point: StoredPoint, source: Source) -> bytes | None:
        try:
            match source.kind:
                case SourceKind.UPLOAD | SourceKind.ARCHIVE:
                    return self._media.read_original(collection, point.payload.sha256)
                case SourceKind.BUCKET:
                    return self._buckets.read(source.uri, self._settings.max_picture_bytes).data
                case SourceKind.FOLDER:
                    path = path_of(source.uri)
                    return path.read_bytes() if within_roots(path, self._settings.import_roots) else None
                case _:
                    return None
        except (OSError, NotFound, BadPicture):
            return None


def web_original(point: StoredPoint) -> str | None:
    """Where the original was on the web, if that is a place it came from. Nobody knows what is there now."""
    uris = (source.uri for source in point.payload.sources.values() if source.kind == SourceKind.URL)
    return next((uri for uri in uris if uri.startswith(("https://", "http://"))), None)
