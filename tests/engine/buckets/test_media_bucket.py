"""Media in a bucket where only a bucket can fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline import media_bucket
from sightline.buckets.addresses import parse_address
from sightline.buckets.s3 import S3Bucket
from sightline.buckets.storage import StorageLimits
from sightline.errors import BadRequest, MediaNotFound, SettingsError, StorageFull, Unavailable
from sightline.identity import point_id, sha256_of
from sightline.media import FolderMediaStore
from sightline.media_bucket import LIMITS, BucketMediaStore
from sightline.media_choice import open_media
from sightline.settings import Settings

DATA = b"a picture" * 1000
SHA256 = sha256_of(DATA)
IMAGE_ID = point_id(SHA256)
QUICK = StorageLimits(silence_s=0.5, read_s=3.0, attempts=3)
Calls = list[Callable[[], object]]


def store_at(url: str, waiting: Path, limits: StorageLimits = LIMITS) -> BucketMediaStore:
    place = parse_address(url)
    return BucketMediaStore(S3Bucket(place.bucket, limits), place, waiting, pause_s=0.01)


def every_call(store: BucketMediaStore) -> Calls:
    def put_new() -> None:
        with store.new_original("images", 1 << 20) as original:
            original.write(DATA)
            original.keep()

    return [
        store.ping,
        put_new,
        lambda: store.put_original("images", SHA256, DATA),
        lambda: store.read_original("images", SHA256),
        lambda: store.put_thumbnail("images", IMAGE_ID, b"small"),
        lambda: store.read_thumbnail("images", IMAGE_ID),
        lambda: store.delete("images", IMAGE_ID, SHA256),
        lambda: store.delete_thumbnail("images", IMAGE_ID),
        lambda: store.delete_collection("images"),
    ]


def waiting_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_bucket_that_is_missing_is_named(s3: Any, tmp_path: Path) -> None:
    store = store_at("s3://no-such-bucket/media", tmp_path)
    writes = [call for number, call in enumerate(every_call(store)) if number in (1, 2, 4, 8)]
    for call in writes:
        with pytest.raises(Unavailable, match="no bucket s3://no-such-bucket; make it, or correct"):
            call()
    assert waiting_files(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "code", "error", "says"),
    [
        (403, "AccessDenied", Unavailable, "check the credentials, and that they permit"),
        (507, "XMinioStorageFull", StorageFull, "has no room left: .* takes no more"),
        (403, "QuotaExceeded", StorageFull, "takes no more .QuotaExceeded"),
        (503, "SlowDown", Unavailable, "s3://media/below/: SlowDown"),
        (400, "MalformedXML", Unavailable, "MalformedXML"),
    ],
)
def test_what_a_storage_answers(
    s3: Any, bad_storage: Any, tmp_path: Path, status: int, code: str, error: type[Exception], says: str
) -> None:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    bad_storage.replies = [bad_storage.answers(status, body)]
    for call in every_call(store_at("s3://media/below", tmp_path)):
        with pytest.raises(error, match=f"The media store .*{says}"):
            call()
    assert waiting_files(tmp_path) == []


def test_what_passes_is_tried_again(s3: Any, bad_storage: Any, tmp_path: Path) -> None:
    busy = bad_storage.answers(503, b"<Error><Code>SlowDown</Code></Error>")
    bad_storage.replies = [
        busy,
        bad_storage.answers(200, DATA, size=len(DATA) + 1),
        bad_storage.answers(200, DATA),
    ]
    assert store_at("s3://media", tmp_path).read_original("images", SHA256) == DATA
    assert bad_storage.connections == 3


def test_a_storage_that_is_silent_is_unavailable(s3: Any, bad_storage: Any, tmp_path: Path) -> None:
    bad_storage.replies = [bad_storage.stays_silent]
    store = store_at("s3://media", tmp_path, QUICK)
    with pytest.raises(Unavailable, match="no answer in time"):
        store.read_thumbnail("images", IMAGE_ID)
    assert bad_storage.connections == 3


def test_a_collection_of_more_than_one_page_goes_whole(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_bucket, "_DELETED_AT_ONCE", 10)
    s3.fill("pages", {f"media/images/thumbnails/{number:04}.webp": b"x" for number in range(25)})
    s3.fill("pages", {"media/images2/thumbnails/a.webp": b"x", "images/originals/a": b"x"})
    store = store_at("s3://pages/media", tmp_path)
    store.delete_collection("images")
    left = [one.key for one in S3Bucket("pages", LIMITS).list_after("", None)]
    assert left == ["images/originals/a", "media/images2/thumbnails/a.webp"]


def test_a_picture_is_in_the_bucket_before_it_is_said_to_be_kept(s3: Any, tmp_path: Path) -> None:
    s3.fill("durable", {})
    store = store_at("s3://durable", tmp_path)
    with store.new_original("images", 1 << 20) as original:
        original.write(DATA)
        original.complete()
        assert len(waiting_files(tmp_path)) == 1
        original.keep()
        assert waiting_files(tmp_path) == []
        original.keep()
    # Whatever becomes of this machine, another one has it.
    assert store_at("s3://durable", tmp_path / "elsewhere").read_original("images", SHA256) == DATA


def test_what_a_killed_upload_left_waiting_is_discarded_when_old(s3: Any, tmp_path: Path) -> None:
    store = store_at("s3://anything", tmp_path)
    store.new_original("images", 1 << 20).complete()
    assert store.discard_unfinished(older_than_s=3600) == 0
    assert store.discard_unfinished(older_than_s=0) == 1
    assert waiting_files(tmp_path) == []


def test_the_settings_name_the_store(s3: Any, tmp_path: Path) -> None:
    folder = open_media(Settings(data_dir=tmp_path))
    assert isinstance(folder, FolderMediaStore)
    folder.put_original("images", SHA256, DATA)

    s3.fill("named", {})
    store = open_media(Settings(data_dir=tmp_path, media_url="s3://named/a/b"))
    store.ping()
    with pytest.raises(MediaNotFound):
        store.read_original("images", SHA256)
    store.put_original("images", SHA256, DATA)
    listed = S3Bucket("named", LIMITS).list_after("a/b/images/", None)
    assert [one.key.rpartition("/")[2] for one in listed] == [SHA256]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"media_url": "s3://x"}, "SIGHTLINE_MEDIA_URL: 's3://x' names no object of a bucket"),
        ({"media_url": "az://pictures"}, "SIGHTLINE_MEDIA_URL: az://pictures/ cannot be used"),
        ({"media_url": "s3://shop/media", "buckets": ["s3://shop"]}, "inside SIGHTLINE_BUCKETS"),
        ({"media_url": "s3://shop", "max_picture_bytes": 6 << 30}, "SIGHTLINE_MAX_PICTURE_BYTES"),
    ],
)
def test_a_store_that_cannot_be_is_refused_at_start(
    more: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match=says):
        open_media(Settings(**more))


def test_names_are_checked_before_anything_is_asked(tmp_path: Path, s3: Any) -> None:
    store = store_at("s3://nowhere-at-all", tmp_path)
    with pytest.raises(BadRequest, match="collection"):
        store.delete_collection("../others")
    with pytest.raises(BadRequest, match="SHA-256"):
        store.delete("images", IMAGE_ID, "*")
