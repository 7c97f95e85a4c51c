"""The bytes a picture was indexed from: the stored upload, or the file it was found in."""

from sightline.errors import NotFound
from sightline.file_uri import path_of
from sightline.identity import sha256_of
from sightline.index import StoredPoint
from sightline.roots import within_roots
from sightline_api.gateway import Gateway

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


def read_original(gateway: Gateway, collection: str, point: StoredPoint) -> bytes:
    """The original's bytes, whose hash is the picture's own; raises NotFound where they are gone.

    Files are read only inside the import roots as they are set now, and only while they still are
    what was indexed: a point's sources are data, not permission.
    """
    for source in point.payload.sources.values():
        data = _from_source(gateway, collection, point, source.kind, source.uri)
        if data is not None and sha256_of(data) == point.payload.sha256:
            return data
    raise NotFound(f"The original of image {point.id} was moved, changed or removed since it was indexed.")


def _from_source(gateway: Gateway, collection: str, point: StoredPoint, kind: str, uri: str) -> bytes | None:
    try:
        if kind == "upload":
            return gateway.media.read_original(collection, point.payload.sha256)
        path = path_of(uri)
        if not within_roots(path, gateway.settings.import_roots):
            return None
        return path.read_bytes()
    except (OSError, NotFound):
        return None
