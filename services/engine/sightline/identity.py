"""Identity comes from content: the same bytes are the same point, wherever they came from."""

import hashlib
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

_READ_BYTES = 1 << 20


def sha256_of(data: bytes) -> str:
    """SHA-256 of `data`, as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces; raises OSError as `open` does."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def point_id(sha256: str) -> str:
    """The point id of a picture: UUIDv5 (RFC 9562) of `sha256:<hex>` in the URL namespace."""
    return str(uuid5(NAMESPACE_URL, f"sha256:{sha256}"))


def unread_point_id(uri: str) -> str:
    """The point id of a picture that only its source is known of: UUIDv5 of `source:<URI>`, likewise."""
    return str(uuid5(NAMESPACE_URL, f"source:{uri}"))


def source_key(uri: str) -> str:
    """The key under which a point keeps one of its sources: 16 hex digits of the URI's SHA-256."""
    return hashlib.sha256(uri.encode()).hexdigest()[:16]
