"""Buckets against a real S3 server, and against one that misbehaves."""

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from sightline.buckets import Buckets, StorageLimits
from sightline.errors import BadPicture, BucketUnusable, FailureReason, Unavailable

# Longer than any pause of a busy machine: only what tests silence has short limits.
LIMITS = StorageLimits(silence_s=10.0, read_s=60.0, attempts=2)
IMPATIENT = StorageLimits(silence_s=0.5, read_s=3.0, attempts=2)
ODD_KEYS = (
    "a b.jpg",
    "a%20b.jpg",
    "a+b&c=d.jpg",
    "a//b.jpg",
    "/first.jpg",
    "query?x#y.jpg",
    "日本 é.jpg",
    "tab\tand`tick.jpg",
    "back\\slash*.jpg",
    "folder/",
)


def keys(buckets: Buckets, url: str, after: str | None = None) -> Sequence[str]:
    return [one.key for one in buckets.list_after(url, after)]


def test_more_objects_than_a_page_holds_are_listed_and_read(s3: Any) -> None:
    objects = {f"2024/{number:04}.jpg": f"picture {number}".encode() for number in range(1010)}
    s3.fill("thousand", objects)
    buckets = Buckets(["s3://thousand"])

    listed = list(buckets.list_after("s3://thousand", None))
    with ThreadPoolExecutor(8) as readers:
        read = list(readers.map(lambda one: buckets.read(one.url, 100).data, listed[-40:]))

    assert [one.key for one in listed] == sorted(objects)
    assert read == [objects[key] for key in sorted(objects)[-40:]]
    assert all(one.size == len(objects[one.key]) for one in listed)
    assert abs((datetime.now(UTC) - listed[0].modified_at).total_seconds()) < 600
    assert keys(buckets, "s3://thousand", after="2024/0998.jpg") == sorted(objects)[999:]


def test_any_key_is_listed_in_order_and_read(s3: Any) -> None:
    s3.fill("odd", {key: key.encode() for key in ODD_KEYS})
    buckets = Buckets(["s3://odd"])

    listed = list(buckets.list_after("s3://odd", None))

    assert [one.key for one in listed] == sorted(ODD_KEYS, key=str.encode)
    assert [buckets.read(one.url, 100).data.decode() for one in listed] == [one.key for one in listed]
    for place, one in enumerate(listed):
        assert keys(buckets, "s3://odd", after=one.key) == [later.key for later in listed[place + 1 :]]


def test_prefix_is_one_of_whole_segments(s3: Any) -> None:
    s3.fill("segments", dict.fromkeys(["a/b.jpg", "ab/c.jpg", "a.jpg"], b"x"))
    buckets = Buckets(["s3://segments/a"])

    assert keys(buckets, "s3://segments/a") == keys(buckets, "s3://segments/a/") == ["a/b.jpg"]


def test_object_knows_when_it_was_changed(s3: Any) -> None:
    s3.fill("times", {"a.jpg": b"data"})

    content = Buckets(["s3://times"]).read("s3://times/a.jpg", 100)

    assert content.data == b"data"
    assert abs((datetime.now(UTC) - content.modified_at).total_seconds()) < 600


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("s3://present/gone.jpg", FailureReason.NOT_FOUND),
        ("s3://absent/a.jpg", FailureReason.NOT_FOUND),
        ("s3://private/a.jpg", FailureReason.ACCESS_DENIED),
        ("s3://present/../private/a.jpg", FailureReason.ACCESS_DENIED),
        ("s3://present/large.jpg", FailureReason.TOO_MANY_BYTES),
    ],
)
def test_object_that_cannot_be_read_has_its_reason(s3: Any, url: str, reason: FailureReason) -> None:
    s3.fill("present", {"large.jpg": b"x" * 101})
    s3.fill("private", {"a.jpg": b"x"})

    with pytest.raises(BadPicture) as caught:
        Buckets(["s3://present", "s3://absent"]).read(url, 100)
    assert caught.value.reason is reason
    assert url in caught.value.detail


def test_denied_objects_and_listings_are_named(bad_storage: Any) -> None:
    denied = b"<Error><Code>AccessDenied</Code><Message>test-secret</Message></Error>"
    bad_storage.replies = [bad_storage.answers(403, denied)]
    buckets = Buckets(["s3://photos"], LIMITS)

    with pytest.raises(BadPicture) as read:
        buckets.read("s3://photos/a.jpg", 100)
    with pytest.raises(BucketUnusable) as listed:
        keys(buckets, "s3://photos")

    assert read.value.reason is FailureReason.ACCESS_DENIED
    assert listed.value.code == "bucket_access_denied"
    assert "test-" not in read.value.detail + listed.value.detail


def test_bucket_that_is_not_there_or_not_allowed_is_named(s3: Any) -> None:
    buckets = Buckets(["s3://nowhere"], LIMITS)

    with pytest.raises(BucketUnusable) as missing:
        keys(buckets, "s3://nowhere")
    with pytest.raises(BucketUnusable) as forbidden:
        keys(buckets, "s3://elsewhere")
    with pytest.raises(BucketUnusable):
        buckets.check_allowed("s3://elsewhere")

    assert missing.value.code == "bucket_not_found"
    assert forbidden.value.code == "bucket_not_allowed"


def test_passing_fault_is_tried_again(bad_storage: Any) -> None:
    bad_storage.replies = [
        bad_storage.answers(503),
        bad_storage.answers(200, b"data"),
    ]

    assert Buckets(["s3://photos"], LIMITS).read("s3://photos/a.jpg", 100).data == b"data"


def test_listing_goes_on_after_a_passing_fault(bad_storage: Any) -> None:
    def page(key: str, *, more: bool) -> bytes:
        about = f"<Key>{key}</Key><LastModified>2026-01-01T00:00:00Z</LastModified><Size>1</Size>"
        token = "<NextContinuationToken>t</NextContinuationToken>" if more else ""
        listed = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}<Contents>{about}</Contents>"
        return f"<ListBucketResult>{listed}</ListBucketResult>".encode()

    bad_storage.replies = [
        bad_storage.answers(200, page("a.jpg", more=True)),
        bad_storage.answers(500),
        bad_storage.answers(200, page("b.jpg", more=False)),
    ]

    assert keys(Buckets(["s3://photos"], LIMITS), "s3://photos") == ["a.jpg", "b.jpg"]


def test_storage_that_never_answers_is_unavailable(bad_storage: Any, stopwatch: Callable[[], float]) -> None:
    bad_storage.replies = [bad_storage.stays_silent]
    buckets = Buckets(["s3://photos"], IMPATIENT)

    with pytest.raises(Unavailable, match="s3://photos"):
        buckets.read("s3://photos/a.jpg", 100)
    with pytest.raises(Unavailable, match="s3://photos"):
        keys(buckets, "s3://photos")

    assert stopwatch() < 8


def test_storage_that_is_not_there_is_unavailable(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")

        with pytest.raises(Unavailable, match="s3://photos"):
            Buckets(["s3://photos"], LIMITS).read("s3://photos/a.jpg", 100)


def test_object_that_alone_makes_the_storage_fail_is_its_own_failure(bad_storage: Any) -> None:
    bad_storage.replies = [
        bad_storage.answers(500),
        bad_storage.answers(500),
        bad_storage.answers(404, b"<Error><Code>NoSuchKey</Code></Error>"),
    ]

    with pytest.raises(BadPicture) as caught:
        Buckets(["s3://photos"], LIMITS).read("s3://photos/a.jpg", 100)
    assert caught.value.reason is FailureReason.FETCH_FAILED


def test_body_that_drips_in_ends_in_time(bad_storage: Any, stopwatch: Callable[[], float]) -> None:
    bad_storage.replies = [bad_storage.drips(1000, every_s=0.1)] * 2 + [bad_storage.answers(404)]
    limits = StorageLimits(silence_s=0.5, read_s=1.0, attempts=2)

    with pytest.raises(BadPicture) as caught:
        Buckets(["s3://photos"], limits).read("s3://photos/a.jpg", 1000)

    assert caught.value.reason is FailureReason.FETCH_TIMEOUT
    assert stopwatch() < 4


def test_body_that_ends_early_is_not_taken_for_the_object(bad_storage: Any) -> None:
    bad_storage.replies = [
        bad_storage.answers(200, b"half", size=100),
        bad_storage.answers(200, b"whole"),
    ]

    assert Buckets(["s3://photos"], LIMITS).read("s3://photos/a.jpg", 100).data == b"whole"


@pytest.mark.parametrize("body", [b"<html><body>Welcome!</body></html>", b"<ListBucketResult/>"])
def test_endpoint_that_does_not_speak_the_protocol_is_named(bad_storage: Any, body: bytes) -> None:
    bad_storage.replies = [bad_storage.answers(200, body)]

    with pytest.raises(BucketUnusable) as caught:
        keys(Buckets(["s3://photos"], LIMITS), "s3://photos")
    assert caught.value.code == "bucket_failed"


def test_stream_gives_chunks_and_stops_at_the_limit(s3: Any) -> None:
    s3.fill("streams", {"large.tar": bytes(1 << 20)})
    buckets = Buckets(["s3://streams"])

    with buckets.stream("s3://streams/large.tar", 1 << 20) as opened:
        sizes = [len(chunk) for chunk in opened.chunks]
    with pytest.raises(BadPicture) as caught, buckets.stream("s3://streams/large.tar", 1000):
        pass

    assert sum(sizes) == opened.size == 1 << 20
    assert max(sizes) <= 1 << 16
    assert caught.value.reason is FailureReason.TOO_MANY_BYTES


def test_without_credentials_requests_are_not_signed(
    bad_storage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_storage.replies = [bad_storage.answers(200, b"data")]
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    Buckets(["s3://photos"]).read("s3://photos/a.jpg", 100)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    Buckets(["s3://photos"]).read("s3://photos/a.jpg", 100)

    signed, unsigned = bad_storage.requests
    assert b"Credential=test-key" in signed
    assert b"authorization" not in unsigned.lower()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_ENDPOINT_URL", "no url"), ("AWS_PROFILE", "nobody"), ("AWS_SECRET_ACCESS_KEY", "")],
)
def test_storage_that_is_set_up_wrongly_fails_the_listing(
    s3: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(BucketUnusable, match="s3://photos"):
        keys(Buckets(["s3://photos"], LIMITS), "s3://photos")
