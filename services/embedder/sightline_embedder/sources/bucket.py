"""Buckets: pictures below a prefix, in the order of their keys."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from sightline.buckets import Buckets
from sightline.buckets.addresses import parse_address
from sightline.errors import BucketUnusable
from sightline.queue.sources import PictureRef, SourceKind
from sightline_embedder.errors import SourceError
from sightline_embedder.sources import Listed
from sightline_embedder.sources.folder import READ_SUFFIXES, UNREAD_SUFFIXES

_LISTED = READ_SUFFIXES | UNREAD_SUFFIXES


class BucketListing:
    """Pictures below `s3://bucket/prefix`, by the suffix of their keys.

    Keys with a segment that begins with a dot are passed over, and so are the empty objects that stand for
    folders. The cursor is the key of the last object listed.
    """

    def __init__(self, url: str, buckets: Buckets) -> None:
        self._url = url
        self._buckets = buckets

    def list(self, after: str | None) -> Iterator[Listed]:
        """See Source. Raises SourceError: `bucket_url_invalid`, `bucket_not_allowed`, `bucket_not_found`,
        `bucket_access_denied`, `bucket_key_unusable` or `bucket_failed`.
        """
        try:
            below = len(parse_address(self._url).below().key)
            for found in self._buckets.list_after(self._url, after):
                if _is_wanted(found.key[below:]):
                    yield Listed(PictureRef(kind=SourceKind.BUCKET, uri=found.url), cursor=found.key)
        except BucketUnusable as error:
            raise SourceError(error.code, error.detail) from error


def _is_wanted(key: str) -> bool:
    # A dot alone is no name: such keys are listed, and refused when they are read.
    hidden = any(part.startswith(".") and part not in (".", "..") for part in key.split("/"))
    is_folder = key.endswith("/")
    return not hidden and not is_folder and PurePosixPath(key).suffix.lower() in _LISTED
