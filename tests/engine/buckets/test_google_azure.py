"""The door to Google and Azure: what lies behind it, obstore, is tried on the S3 server."""

from collections.abc import Sequence
from typing import Any

import pytest
from obstore.store import S3Store

from sightline.buckets import Buckets, StorageLimits
from sightline.buckets.addresses import Scheme
from sightline.buckets.google_azure import NO_RETRY, ObstoreBucket, client_options, open_obstore
from sightline.buckets.storage import Fault, StorageFailure
from sightline.errors import BucketUnusable

LIMITS = StorageLimits(silence_s=0.5, read_s=3.0, attempts=1)
PATIENT = StorageLimits(silence_s=10.0, read_s=30.0, attempts=1)
"""For a server that answers, however busy the machine is."""


def bucket_at(
    url: str, name: str, monkeypatch: pytest.MonkeyPatch, limits: StorageLimits = LIMITS
) -> ObstoreBucket:
    monkeypatch.setenv("AZURE_ENDPOINT", "http://an-endpoint-without-tls")
    options = client_options(limits)
    return ObstoreBucket(S3Store(name, endpoint=url, client_options=options, retry_config=NO_RETRY))


@pytest.fixture(scope="module")
def filled(s3_server: Any) -> str:
    objects = {f"a/{number:04}.jpg": b"data" for number in range(1010)}
    s3_server.fill("obstore", objects | {"b c%.jpg": b"other data", "large": bytes(300_000)})
    return "obstore"


@pytest.fixture
def bucket(s3: Any, filled: str, monkeypatch: pytest.MonkeyPatch) -> ObstoreBucket:
    return bucket_at(s3.environment["AWS_ENDPOINT_URL"], filled, monkeypatch, PATIENT)


def keys(bucket: ObstoreBucket, prefix: str, after: str | None = None) -> Sequence[str]:
    return [one.key for one in bucket.list_after(prefix, after)]


def fault_of(bucket: ObstoreBucket, key: str = "a.jpg") -> Fault:
    with pytest.raises(StorageFailure) as caught, bucket.open(key) as opened:
        list(opened.chunks)
    return caught.value.fault


def test_lists_in_order_and_resumes(bucket: ObstoreBucket) -> None:
    whole = keys(bucket, "")

    assert len(whole) == 1012
    assert whole == sorted(whole)
    assert keys(bucket, "", after="a/0999.jpg") == whole[1000:]
    assert keys(bucket, "a/", after="a/1008.jpg") == ["a/1009.jpg"]


def test_reads_in_chunks(bucket: ObstoreBucket) -> None:
    with bucket.open("b c%.jpg") as opened:
        assert b"".join(opened.chunks) == b"other data"
        assert opened.size == 10
    with bucket.open("large") as opened:
        assert sum(len(chunk) for chunk in opened.chunks) == 300_000


def test_what_is_missing_is_named(bucket: ObstoreBucket, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = bucket_at(s3.environment["AWS_ENDPOINT_URL"], "no-such-bucket", monkeypatch)

    assert fault_of(bucket, "gone.jpg") is Fault.OBJECT_MISSING
    assert fault_of(bucket, "a//b.jpg") is Fault.OBJECT_MISSING
    with pytest.raises(StorageFailure) as caught:
        keys(nowhere, "")
    assert caught.value.fault is Fault.BUCKET_MISSING


def test_key_that_obstore_has_no_name_for_is_named(
    bucket: ObstoreBucket, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.fill("unnameable", {"a//b.jpg": b"x"})

    with pytest.raises(StorageFailure, match=r"a//b\.jpg") as caught:
        keys(bucket_at(s3.environment["AWS_ENDPOINT_URL"], "unnameable", monkeypatch), "")
    assert caught.value.fault is Fault.UNNAMEABLE_KEY


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (401, Fault.DENIED),
        (403, Fault.DENIED),
        (404, Fault.OBJECT_MISSING),
        (400, Fault.REFUSED),
        (429, Fault.NO_ANSWER),
        (500, Fault.NO_ANSWER),
    ],
)
def test_status_is_understood(
    bad_storage: Any, monkeypatch: pytest.MonkeyPatch, status: int, fault: Fault
) -> None:
    bad_storage.replies = [bad_storage.answers(status, b"test-secret")]

    assert fault_of(bucket_at(bad_storage.url, "photos", monkeypatch)) is fault


def test_silence_and_a_cut_connection_pass_perhaps(bad_storage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bad_storage.replies = [
        bad_storage.answers(200, b"half", size=100),
        bad_storage.stays_silent,
    ]
    bucket = bucket_at(bad_storage.url, "photos", monkeypatch)

    assert fault_of(bucket) is Fault.NO_ANSWER
    assert fault_of(bucket) is Fault.TIMED_OUT
    assert fault_of(bucket_at("http://127.0.0.1:1", "photos", monkeypatch)) is Fault.NO_ANSWER


def test_storage_that_is_not_set_up_fails_the_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)

    with pytest.raises(StorageFailure, match="MissingAccount"):
        open_obstore(Scheme.AZURE, "photos", LIMITS)
    with pytest.raises(BucketUnusable, match="az://photos"):
        list(Buckets(["az://photos"], LIMITS).list_after("az://photos", None))


def test_azure_asks_the_endpoint_of_the_environment(
    bad_storage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_storage.replies = [bad_storage.answers(200, b"data")]
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", bad_storage.url)

    content = Buckets(["az://photos"], LIMITS).read("az://photos/a b.jpg", 100)

    assert content.data == b"data"
    assert bad_storage.requests[0].startswith(b"GET /photos/a%20b.jpg ")
