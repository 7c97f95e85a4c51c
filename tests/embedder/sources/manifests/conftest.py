"""Manifests in a folder that may be imported."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from sightline.payload import FieldType
from sightline.queue.sources import ManifestSource
from sightline_embedder.sources import Listed
from sightline_embedder.sources.manifests import ManifestListing, manifest_place

FIELDS = {
    "price": FieldType.FLOAT,
    "stock": FieldType.INTEGER,
    "sold": FieldType.BOOL,
    "made": FieldType.DATETIME,
    "sku": FieldType.KEYWORD,
}

ListFile = Callable[..., Sequence[Listed]]


def no_remote_files(url: str, /) -> AbstractContextManager[BinaryIO]:
    raise AssertionError(url)


@pytest.fixture
def listing_of(tmp_path: Path) -> Callable[..., ManifestListing]:
    """`listing_of(name, content)`: the listing of such a file; content None leaves it as it is."""

    def listing(name: str, content: bytes | None, image_column: str = "url") -> ManifestListing:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        place = manifest_place(ManifestSource(path=str(path)), [tmp_path], no_remote_files)
        return ManifestListing(place, image_column=image_column, fields=FIELDS)

    return listing


@pytest.fixture
def remote_listing_of() -> Callable[..., ManifestListing]:
    """`remote_listing_of(url, content)`: the listing of a file that is not on this machine."""

    def listing(url: str, content: bytes) -> ManifestListing:
        place = manifest_place(ManifestSource(url=url), [], lambda _: BytesIO(content))
        return ManifestListing(place, image_column="url", fields=FIELDS)

    return listing
