"""What names an object of a bucket, and which of them may be read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote

from sightline.errors import BucketUnusable, SettingsError


class Scheme(StrEnum):
    """The storages that are spoken to, by the scheme of their URLs."""

    S3 = "s3"
    GOOGLE = "gs"
    AZURE = "az"


_URL = re.compile(
    r"(?P<scheme>[a-z0-9]+)://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,221})(/(?P<key>.*))?", re.S
)
_SCHEMES = {"s3": Scheme.S3, "gs": Scheme.GOOGLE, "az": Scheme.AZURE, "abfs": Scheme.AZURE}
_SHOWN_CHARACTERS = 200
_UNQUOTED = "/~!$&'()*+,;=:@"


@dataclass(frozen=True)
class ObjectAddress:
    """An object, or with a key that is empty or ends in a slash, everything below."""

    scheme: Scheme
    bucket: str
    key: str

    @property
    def bucket_url(self) -> str:
        """The bucket alone."""
        return f"{self.scheme}://{self.bucket}"

    @property
    def url(self) -> str:
        """The URL; characters that mean something in a URL are percent-encoded."""
        return f"{self.bucket_url}/{quote(self.key, safe=_UNQUOTED)}"

    def below(self) -> "ObjectAddress":
        """The same as a folder: `s3://shop/catalogue` is `s3://shop/catalogue/`."""
        if not self.key or self.key.endswith("/"):
            return self
        return ObjectAddress(self.scheme, self.bucket, f"{self.key}/")

    def with_key(self, key: str) -> "ObjectAddress":
        """Another object of the same bucket."""
        return ObjectAddress(self.scheme, self.bucket, key)


def names_object(text: str) -> bool:
    """Whether `text` has the scheme of a bucket."""
    return text.partition("://")[0] in _SCHEMES and "://" in text


def parse_address(text: str) -> ObjectAddress:
    """Read `s3://bucket/key`; raises BucketUnusable (`bucket_url_invalid`).

    The key is percent-decoded, and nothing else in it has a meaning: `?` and `#` are part of it.
    """
    match = _URL.fullmatch(text)
    scheme = _SCHEMES.get(match["scheme"]) if match else None
    if match is None or scheme is None:
        raise BucketUnusable(
            "bucket_url_invalid",
            f"{_shown(text)} names no object of a bucket; write s3://bucket/key, gs://… or az://container/….",
        )
    try:
        key = unquote(match["key"] or "", errors="strict")
    except UnicodeDecodeError as error:
        raise BucketUnusable("bucket_url_invalid", f"The key in {_shown(text)} is not UTF-8.") from error
    return ObjectAddress(scheme, match["bucket"], key)


def _shown(text: str) -> str:
    return f"'{text[:_SHOWN_CHARACTERS].encode(errors='replace').decode()}'"


class AllowedBuckets:
    """The buckets, and prefixes in buckets, that pictures may be read from."""

    def __init__(self, urls: Sequence[str]) -> None:
        """Raises SettingsError for what is not a bucket's URL."""
        try:
            self._prefixes = [parse_address(url) for url in urls]
        except BucketUnusable as error:
            raise SettingsError(f"SIGHTLINE_BUCKETS: {error}") from error

    def check(self, address: ObjectAddress) -> None:
        """Raise BucketUnusable (`bucket_not_allowed`) unless the address lies inside."""
        # Storages take them as they are, but what stands before a storage may resolve them.
        if not {".", ".."}.isdisjoint(address.key.split("/")):
            detail = f"{address.url} has a segment '.' or '..', which may lead elsewhere."
        elif any(_lies_in(address, prefix) for prefix in self._prefixes):
            return
        else:
            detail = f"{address.url} is not inside any of SIGHTLINE_BUCKETS."
        raise BucketUnusable("bucket_not_allowed", detail)


def _lies_in(address: ObjectAddress, prefix: ObjectAddress) -> bool:
    same_bucket = (address.scheme, address.bucket) == (prefix.scheme, prefix.bucket)
    return same_bucket and (address.key == prefix.key or address.key.startswith(prefix.below().key))
