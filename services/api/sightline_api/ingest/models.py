"""What a client may ask to be indexed."""

import re
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field

from sightline.errors import FailureReason
from sightline.queue.sources import ArchiveSource, BucketSource, FolderSource, ManifestSource
from sightline.settings import CollectionName
from sightline_api.http.problems import ApiError
from sightline_api.ingest.picture_details import Metadata, Tags, storable

MAX_URLS = 10_000
MAX_URL_CHARACTERS = 8_192
MAX_INGEST_BYTES = 16 << 20
MAX_INGEST_VALUES = 40 * MAX_URLS
"""Names and values, with the colon of each URL: what 16 fields of metadata and tags make of a URL."""

_UNSAFE = re.compile(r"[\x00-\x20\x7f]")

OnDuplicate = Literal["skip", "update"]


def check_url(url: str) -> str:
    """The URL, if it names a web address without credentials; raises ValueError."""
    # Otherwise taken out in silence by whoever parses the URL next.
    if _UNSAFE.search(url):
        raise ValueError("a URL has no spaces and no control characters")
    storable(url, "url")
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError("a URL begins with http:// or https:// and names a host")
    if "@" in parts.netloc:
        raise ValueError("a URL must not hold a name or a password")
    return url


def _check_number(items: Any) -> Any:
    if isinstance(items, list) and len(items) > MAX_URLS:
        detail = (
            f"The request names {len(items):,} URLs; the limit is {MAX_URLS:,}. Put them into a manifest "
            f"(CSV, JSONL or Parquet) and send its path or URL as a source of kind `manifest`."
        )
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_urls", detail)
    return items


class UrlItem(BaseModel):
    """One picture on the web, with what is to be known about it."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(max_length=MAX_URL_CHARACTERS), AfterValidator(check_url)]
    tags: Tags = []
    metadata: Metadata = {}


class UrlsSource(BaseModel):
    """Pictures on the web, up to 10,000; a manifest takes more."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["urls"] = "urls"
    items: Annotated[list[UrlItem], Field(min_length=1), BeforeValidator(_check_number)]


def _check_names(source: Any) -> Any:
    # The URLs of a list are checked one by one, so that a fault names its own.
    return source if isinstance(source, dict) and "items" in source else storable(source, "source")


AnySource = FolderSource | UrlsSource | ArchiveSource | BucketSource | ManifestSource


class IngestRequest(BaseModel):
    """A source of pictures that the embedder can reach, and what to do with them.

    `tags` and `metadata` go to every picture. Pictures that are indexed already keep their own, or with
    `update` get those that come now.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"source": {"kind": "folder", "path": "/photos", "sync": True}, "tags": ["holiday"]},
                {
                    "source": {
                        "kind": "urls",
                        "items": [{"url": "https://example.com/cup.jpg", "metadata": {"sku": "A-17"}}],
                    }
                },
                {"source": {"kind": "archive", "path": "/photos/2024.zip"}, "on_duplicate": "update"},
                {"source": {"kind": "bucket", "url": "s3://photos/2024/"}, "metadata": {"shop": 1}},
                {
                    "source": {
                        "kind": "manifest",
                        "url": "https://example.com/pictures.parquet",
                        "image_column": "link",
                    }
                },
            ]
        },
    )

    source: Annotated[AnySource, Discriminator("kind"), BeforeValidator(_check_names)]
    tags: Tags = []
    metadata: Metadata = {}
    on_duplicate: OnDuplicate = "skip"
    collection: CollectionName | None = None


class RetryRequest(BaseModel):
    """Which failures to try again: those for one reason, or all."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "fetch_timeout"}, {}]}
    )

    reason: FailureReason | None = None
