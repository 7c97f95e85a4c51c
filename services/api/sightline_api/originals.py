"""The bytes a picture was indexed from: the stored upload, or the file or object it was found in."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore
from urllib.parse import unquote, urlsplit

from sightline.buckets import Buckets
from sightline.errors import BadPicture, NotFound, OutsideRoots, Unavailable
from sightline.file_uri import path_of
from sightline.identity import sha256_of
from sightline.index import StoredPoint
from sightline.media import MediaStore
from sightline.payload import Source
from sightline.queue.sources import SourceKind
from sightline.roots import open_within
from sightline.settings import Settings

UNKNOWN_TYPE = "application/octet-stream"
"""Of a picture that was imported by its vector, and whose bytes came later."""
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


MOST_HELD = 4
"""Each may take `SIGHTLINE_MAX_PICTURE_BYTES` of memory."""


class Originals:
    """Reads originals wherever they are. Safe to use from several threads."""

    def __init__(self, settings: Settings, media: MediaStore, buckets: Buckets) -> None:
        self._settings = settings
        self._media = media
        self._buckets = buckets
        self._places = BoundedSemaphore(MOST_HELD)

    @contextmanager
    def place(self, wait_s: float) -> Iterator[None]:
        """Hold one of a few places for an original in memory; raises TimeoutError if none is free in time."""
        if not self._places.acquire(timeout=wait_s):
            raise TimeoutError
        try:
            yield
        finally:
            self._places.release()

    def read(self, collection: str, point: StoredPoint) -> bytes:
        """The original's bytes, whose hash is the picture's own.

        Files and objects are read only inside the import roots and the buckets as they are set now, and
        only while they still are what was indexed: a point's sources are data, not permission. Raises
        NotFound where they are gone, and Unavailable where a storage that may have them does not answer.
        """
        sha256 = point.payload.sha256
        if sha256 is None:
            raise NotFound(f"Image {point.id} was imported as a vector; nobody has read its original.")
        silent: Unavailable | None = None
        for source in point.payload.sources.values():
            try:
                data = self._from_source(collection, sha256, source)
            except Unavailable as error:
                silent = error
            else:
                if data is not None and sha256_of(data) == sha256:
                    return data
        if silent is not None:
            raise silent
        raise NotFound(
            f"The original of image {point.id} was moved, changed or removed since it was indexed."
        )

    def _from_source(self, collection: str, sha256: str, source: Source) -> bytes | None:
        try:
            match source.kind:
                case SourceKind.UPLOAD | SourceKind.ARCHIVE:
                    return self._media.read_original(collection, sha256)
                case SourceKind.BUCKET:
                    return self._buckets.read(source.uri, self._settings.max_picture_bytes).data
                case SourceKind.FOLDER:
                    return self._from_file(path_of(source.uri))
                case _:
                    return None
        except (OSError, ValueError, NotFound, BadPicture, OutsideRoots):
            return None

    def _from_file(self, path: Path) -> bytes | None:
        """The file, unless it became a pipe that nobody writes to, or one that would fill the memory."""
        most = self._settings.max_picture_bytes
        descriptor = open_within(path, self._settings.import_roots)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_size > most:
                return None
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(most)
        finally:
            os.close(descriptor)


def file_name(point: StoredPoint) -> str:
    """What a download of the original is called: as it was where it was found, else by its id and format."""
    for source in point.payload.sources.values():
        place = urlsplit(source.uri)
        if name := unquote(place.fragment or place.path).rsplit("/", 1)[-1]:
            return name
    return f"{point.id}.{point.payload.format}"


def web_original(point: StoredPoint) -> str | None:
    """Where the original was on the web, if that is a place it came from. Nobody knows what is there now."""
    uris = (source.uri for source in point.payload.sources.values() if source.kind == SourceKind.URL)
    return next((uri for uri in uris if uri.startswith(("https://", "http://"))), None)
