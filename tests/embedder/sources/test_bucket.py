"""Listing buckets: pictures by suffix, in order, and resumable after any of them."""

from collections.abc import Sequence
from typing import Any

import pytest

from sightline.buckets import Buckets
from sightline.errors import BadPicture, FailureReason
from sightline.queue.sources import SourceKind
from sightline_embedder.errors import SourceError
from sightline_embedder.sources.bucket import BucketListing

KEYS = (
    "2024/a.JPG",
    "2024/b/c d?.png",
    "2024/b//e.webp",
    "2024/raw.cr2",
    "2024/../f.jpg",
    "2024/album.jpg/",
    "2024/notes.txt",
    "2024/.hidden.jpg",
    "2024/.git/g.jpg",
    "2025/h.jpg",
    ".private/i.jpg",
)


@pytest.fixture(scope="module")
def bucket(s3_server: Any) -> str:
    s3_server.fill("listed", dict.fromkeys(KEYS, b"x"))
    return "listed"


def cursors(url: str, after: str | None = None) -> Sequence[str]:
    return [one.cursor for one in BucketListing(url, Buckets(["s3://listed"])).list(after)]


def test_lists_pictures_below_the_prefix_by_suffix(s3: Any, bucket: str) -> None:
    pictures = ["2024/../f.jpg", "2024/a.JPG", "2024/b//e.webp", "2024/b/c d?.png", "2024/raw.cr2"]

    assert cursors(f"s3://{bucket}/2024") == pictures
    assert cursors(f"s3://{bucket}") == [*pictures, "2025/h.jpg"]
    assert cursors(f"s3://{bucket}/.private/") == [".private/i.jpg"]
    assert cursors(f"s3://{bucket}/202") == []


def test_resumes_after_any_picture(s3: Any, bucket: str) -> None:
    whole = cursors(f"s3://{bucket}/2024")

    for place, cursor in enumerate(whole):
        assert cursors(f"s3://{bucket}/2024", after=cursor) == whole[place + 1 :]


def test_references_are_urls_that_read_the_same_object(s3: Any, bucket: str) -> None:
    buckets = Buckets([f"s3://{bucket}"])
    refs = [one.ref for one in BucketListing(f"s3://{bucket}/2024", buckets).list(None)]

    assert {ref.kind for ref in refs} == {SourceKind.BUCKET}
    assert refs[3].uri == "s3://listed/2024/b/c%20d%3F.png"
    assert [buckets.read(ref.uri, 10).data for ref in refs[1:]] == [b"x"] * 4
    with pytest.raises(BadPicture) as caught:
        buckets.read(refs[0].uri, 10)
    assert caught.value.reason is FailureReason.ACCESS_DENIED


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("s3://elsewhere/a", "bucket_not_allowed"),
        ("s3://listed/../elsewhere", "bucket_not_allowed"),
        ("s3://nowhere", "bucket_not_found"),
        ("nowhere", "bucket_url_invalid"),
    ],
)
def test_bucket_that_cannot_be_listed_is_a_fault_of_the_source(s3: Any, url: str, code: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(BucketListing(url, Buckets(["s3://listed", "s3://nowhere"])).list(None))
    assert caught.value.code == code
