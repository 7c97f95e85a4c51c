import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from obstore.store import S3Store

from sightline.buckets.addresses import parse_address
from sightline.buckets.google_azure import NO_RETRY, ObstoreBucket, client_options
from sightline.buckets.s3 import S3Bucket
from sightline.errors import BadPicture, BadRequest, FailureReason, MediaNotFound, StorageFull, Unavailable
from sightline.identity import point_id, sha256_of
from sightline.media import FolderMediaStore, MediaStore
from sightline.media_bucket import LIMITS, BucketMediaStore

DATA = b"a picture" * 1000
SHA256 = sha256_of(DATA)
IMAGE_ID = point_id(SHA256)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "media"


@pytest.fixture
def folder(root: Path) -> FolderMediaStore:
    return FolderMediaStore(root)


@pytest.fixture(params=["folder", "s3", "obstore"])
def store(request: pytest.FixtureRequest, root: Path) -> MediaStore:
    """Each store in turn. What stands for Google and Azure is the same client on the S3 server."""
    if request.param == "folder":
        return FolderMediaStore(root)
    s3, name = request.getfixturevalue("s3"), f"media-{uuid4().hex}"
    s3.fill(name, {})
    place = parse_address(f"s3://{name}/below/here")
    if request.param == "s3":
        return BucketMediaStore(S3Bucket(name, LIMITS), place, root)
    options = client_options(LIMITS) | {"allow_http": True}
    url = s3.environment["AWS_ENDPOINT_URL"]
    client = S3Store(name, endpoint=url, client_options=options, retry_config=NO_RETRY)
    return BucketMediaStore(ObstoreBucket(client), place, root)


def kept_in(store: MediaStore, root: Path) -> list[str]:
    """The places of all that is kept, and the files that wait for it."""
    files = [str(path) for path in files_in(root)]
    if isinstance(store, BucketMediaStore):
        listed = store._bucket.list_after("below/here/", None)
        return sorted([one.key.removeprefix("below/here/") for one in listed] + files)
    return files


def files_in(root: Path) -> list[Path]:
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())


def test_an_original_is_kept_byte_for_byte(store: MediaStore) -> None:
    store.put_original("images", SHA256, DATA)

    assert store.read_original("images", SHA256) == DATA
    with store.open_original("images", SHA256) as stream:
        assert stream.read() == DATA


def test_a_new_original_is_kept_under_the_hash_of_its_content(store: MediaStore, root: Path) -> None:
    with store.new_original("images", max_bytes=len(DATA)) as original:
        for at in range(0, len(DATA), 100):
            original.write(DATA[at : at + 100])
        assert original.complete() == SHA256
        with pytest.raises(MediaNotFound):
            store.read_original("images", SHA256)
        original.keep()

    assert store.read_original("images", SHA256) == DATA
    assert kept_in(store, root) == [f"images/originals/{SHA256[:2]}/{SHA256[2:4]}/{SHA256}"]


def test_complete_originals_that_wait_hold_no_descriptors(store: MediaStore) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    waiting = [store.new_original("images", max_bytes=1) for _ in range(20)]
    for original in waiting:
        original.complete()

    assert len(list(Path("/proc/self/fd").iterdir())) == before
    for original in waiting:
        original.discard()


def test_a_thumbnail_is_kept_and_replaced(store: MediaStore, root: Path) -> None:
    store.put_thumbnail("images", IMAGE_ID, b"first")
    store.put_thumbnail("images", IMAGE_ID, b"second")

    assert store.read_thumbnail("images", IMAGE_ID) == b"second"
    assert len(kept_in(store, root)) == 1


def test_thumbnails_are_kept_together(store: MediaStore, root: Path) -> None:
    small = {point_id(sha256_of(bytes([number]))): bytes([number]) for number in range(20)}
    store.put_thumbnails("images", small)
    store.put_thumbnails("images", {})

    assert {one: store.read_thumbnail("images", one) for one in small} == small
    with pytest.raises(BadRequest, match="image id"):
        store.put_thumbnails("images", small | {"../elsewhere": b"x"})
    assert len(kept_in(store, root)) == 20


def test_doing_it_twice_equals_doing_it_once(store: MediaStore, root: Path) -> None:
    for _ in range(2):
        store.put_original("images", SHA256, DATA)
        with store.new_original("images", max_bytes=len(DATA)) as original:
            original.write(DATA)
            original.keep()

    assert len(kept_in(store, root)) == 1
    for _ in range(2):
        store.delete("images", IMAGE_ID, SHA256)
    assert kept_in(store, root) == []


def test_what_is_not_there_is_not_found(store: MediaStore) -> None:
    with pytest.raises(MediaNotFound, match=SHA256):
        store.read_original("images", SHA256)
    with pytest.raises(MediaNotFound, match="original"):
        store.open_original("images", SHA256)
    with pytest.raises(MediaNotFound, match=IMAGE_ID):
        store.read_thumbnail("images", IMAGE_ID)


def test_deleting_takes_thumbnail_and_original_of_that_image_only(store: MediaStore) -> None:
    other = b"another"
    for collection, data in (("images", DATA), ("images", other), ("others", DATA)):
        store.put_original(collection, sha256_of(data), data)
        store.put_thumbnail(collection, point_id(sha256_of(data)), b"small")

    store.delete("images", IMAGE_ID, SHA256)

    with pytest.raises(MediaNotFound):
        store.read_original("images", SHA256)
    with pytest.raises(MediaNotFound):
        store.read_thumbnail("images", IMAGE_ID)
    assert store.read_original("images", sha256_of(other)) == other
    assert store.read_original("others", SHA256) == DATA
    assert store.read_thumbnail("others", IMAGE_ID) == b"small"


def test_a_thumbnail_can_go_alone(store: MediaStore) -> None:
    store.put_original("images", SHA256, DATA)
    store.put_thumbnail("images", IMAGE_ID, b"small")

    for _ in range(2):
        store.delete_thumbnail("images", IMAGE_ID)

    with pytest.raises(MediaNotFound):
        store.read_thumbnail("images", IMAGE_ID)
    assert store.read_original("images", SHA256) == DATA


def test_deleting_a_collection_takes_all_of_it_and_nothing_else(store: MediaStore, root: Path) -> None:
    for collection in ("images", "others"):
        store.put_original(collection, SHA256, DATA)
        store.put_thumbnail(collection, IMAGE_ID, b"small")

    for _ in range(2):
        store.delete_collection("images")

    assert {place.partition("/")[0] for place in kept_in(store, root)} == {"others"}


@pytest.mark.parametrize(
    "collection", ["../images", "..", ".", "", "a/b", "/etc", "Images", "a\0", ".unfinished"]
)
def test_no_collection_name_leads_elsewhere(store: MediaStore, tmp_path: Path, collection: str) -> None:
    with pytest.raises(BadRequest, match="collection"):
        store.put_original(collection, SHA256, DATA)
    with pytest.raises(BadRequest, match="collection"):
        store.new_original(collection, max_bytes=1 << 20)
    with pytest.raises(BadRequest, match="collection"):
        store.read_thumbnail(collection, IMAGE_ID)
    with pytest.raises(BadRequest, match="collection"):
        store.delete_collection(collection)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    "key", ["../" * 21 + "x", "", SHA256.upper(), SHA256 + "\n", SHA256[:-1] + "/", IMAGE_ID + "/.."]
)
def test_no_hash_or_id_leads_elsewhere(store: MediaStore, tmp_path: Path, key: str) -> None:
    with pytest.raises(BadRequest, match="SHA-256"):
        store.read_original("images", key)
    with pytest.raises(BadRequest, match="SHA-256"):
        store.put_original("images", key, DATA)
    with pytest.raises(BadRequest, match="image id"):
        store.put_thumbnail("images", key, DATA)
    with pytest.raises(BadRequest):
        store.delete("images", key, SHA256)
    assert files_in(tmp_path) == []


def test_an_original_over_the_limit_keeps_nothing(store: MediaStore, root: Path) -> None:
    with store.new_original("images", max_bytes=10_000) as original:
        for _ in range(10):
            original.write(bytes(1000))
        with pytest.raises(BadPicture) as caught:
            original.write(b"x")

    assert caught.value.reason is FailureReason.TOO_MANY_BYTES
    assert kept_in(store, root) == []


def test_an_original_that_breaks_off_keeps_nothing_and_says_why(store: MediaStore, root: Path) -> None:
    def break_off() -> None:
        with store.new_original("images", max_bytes=1 << 20) as original:
            original.write(DATA)
            raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError, match="went away"):
        break_off()
    assert kept_in(store, root) == []


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow beyond 1,000 bytes: not a fixture, or pytest's own output would
    be such a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more_is_the_store_s_fault(folder: FolderMediaStore, root: Path) -> None:
    for _ in range(2):
        with full_disk(), pytest.raises(Unavailable, match="media store"):
            folder.put_original("images", SHA256, DATA)
        with (
            folder.new_original("images", max_bytes=1 << 20) as original,
            full_disk(),
            pytest.raises(Unavailable, match="media store"),
        ):
            original.write(DATA * 10)
        with full_disk(), pytest.raises(Unavailable, match="media store"):
            folder.put_thumbnail("images", IMAGE_ID, DATA)
    assert files_in(root) == []


def test_a_full_disk_is_told_from_one_that_fails(small_disk: Path) -> None:
    store = FolderMediaStore(small_disk / "media")
    store.put_original("images", SHA256, DATA)
    free = store.free_bytes()
    assert 0 < free < 4 << 20

    other = b"x" * (4 << 20)
    with pytest.raises(StorageFull, match="The media store has no room left"):
        store.put_original("images", sha256_of(other), other)

    assert store.free_bytes() == free
    assert store.read_original("images", SHA256) == DATA


def test_room_is_told_before_the_folder_is_made(root: Path, store: MediaStore) -> None:
    assert store.free_bytes() > 0
    assert not root.exists()


def test_a_folder_that_cannot_be_made_is_the_store_s_fault(root: Path, folder: FolderMediaStore) -> None:
    root.parent.mkdir()
    root.write_text("a file is in the way")

    with pytest.raises(Unavailable, match="media store"):
        folder.put_original("images", SHA256, DATA)
    with pytest.raises(Unavailable, match="media store"):
        folder.read_original("images", SHA256)


def test_only_the_owner_can_read(folder: FolderMediaStore, root: Path) -> None:
    folder.put_original("images", SHA256, DATA)
    folder.put_thumbnail("images", IMAGE_ID, b"small")

    for path in (root, *root.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_a_thumbnail_that_a_loss_of_power_left_empty_is_not_there(
    folder: FolderMediaStore, root: Path
) -> None:
    folder.put_thumbnail("images", IMAGE_ID, b"")

    with pytest.raises(MediaNotFound):
        folder.read_thumbnail("images", IMAGE_ID)


def test_what_a_killed_writer_left_behind_is_discarded_when_old(root: Path) -> None:
    store = FolderMediaStore(root)
    store.put_original("images", SHA256, DATA)
    left_behind = root / ".unfinished" / "tmp123"
    left_behind.write_bytes(b"half a picture")

    assert store.discard_unfinished(older_than_s=3600) == 0
    assert left_behind.exists()
    assert store.discard_unfinished(older_than_s=0) == 1
    assert store.read_original("images", SHA256) == DATA
    assert len(files_in(root)) == 1
