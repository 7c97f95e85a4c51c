"""Where the bytes of an indexed picture are found again, and when they are not the same any more."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.buckets import Buckets
from sightline.errors import FailureReason
from sightline.identity import point_id, sha256_of
from sightline.index import StoredPoint
from sightline.media import FolderMediaStore
from sightline.payload import Payload, Source
from sightline.settings import Settings
from sightline_embedder.fetching import Fetcher
from sightline_embedder.migrating.originals import OriginalFinder
from sightline_embedder.reading import PictureReader

DATA = b"the bytes of a picture"
SHA256 = sha256_of(DATA)


@pytest.fixture
def media(tmp_path: Path) -> FolderMediaStore:
    return FolderMediaStore(tmp_path / "media")


@pytest.fixture
def finder(tmp_path: Path, media: FolderMediaStore) -> OriginalFinder:
    settings = Settings()
    reader = PictureReader(
        media, [tmp_path / "photos"], 1_000_000, Buckets.of(settings), Fetcher.of(settings)
    )
    (tmp_path / "photos").mkdir()
    return OriginalFinder(reader, media)


@pytest.fixture
def point(tmp_path: Path, make_payload: Callable[..., Payload]) -> Callable[..., StoredPoint]:
    def make(*names: str, kind: str = "folder") -> StoredPoint:
        sources = {
            name: Source(kind=kind, uri=(tmp_path / name).as_uri() if kind == "folder" else name)
            for name in names
        }
        return StoredPoint(point_id(SHA256), make_payload(sha256=SHA256, sources=sources))

    return make


def test_the_stored_upload_is_the_original(
    finder: OriginalFinder, media: FolderMediaStore, point: Callable[..., StoredPoint]
) -> None:
    media.put_original("images", SHA256, DATA)
    assert finder.original("images", point("upload:a.jpg", kind="upload")).data == DATA


def test_any_source_that_still_is_the_picture_will_do(
    finder: OriginalFinder, tmp_path: Path, point: Callable[..., StoredPoint]
) -> None:
    (tmp_path / "photos/changed.jpg").write_bytes(b"something else")
    (tmp_path / "photos/same.jpg").write_bytes(DATA)
    found = finder.original("images", point("photos/gone.jpg", "photos/changed.jpg", "photos/same.jpg"))
    assert found.data == DATA


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("photos/changed.jpg", "has changed"),
        ("photos/gone.jpg", "cannot be read"),
        ("outside.jpg", "leads out"),
    ],
)
def test_what_is_not_the_picture_any_more_is_no_original(
    finder: OriginalFinder, tmp_path: Path, point: Callable[..., StoredPoint], name: str, says: str
) -> None:
    (tmp_path / "photos/changed.jpg").write_bytes(b"something else")
    (tmp_path / "outside.jpg").write_bytes(DATA)
    found = finder.original("images", point(name))
    assert found.data is None
    assert found.fault is not None
    assert says in found.fault.detail


def test_without_any_source_the_fault_says_what_was_not_kept(
    finder: OriginalFinder, point: Callable[..., StoredPoint]
) -> None:
    found = finder.original("images", point("upload:a.jpg", kind="upload"))
    assert (found.data, found.fault and found.fault.reason) == (None, FailureReason.NOT_FOUND)


def test_a_thumbnail_is_had_where_one_was_kept(
    finder: OriginalFinder, media: FolderMediaStore, point: Callable[..., StoredPoint]
) -> None:
    one = point()
    assert finder.thumbnail("images", one) is None
    media.put_thumbnail("images", one.id, b"small")
    assert finder.thumbnail("images", one) == b"small"
