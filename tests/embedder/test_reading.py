"""From a reference to bytes: every way it can go wrong has its reason."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from sightline.errors import BadPicture, BadRequest, FailureReason
from sightline.identity import sha256_of
from sightline.media import FolderMediaStore
from sightline.queue.sources import Item, Refusal, SourceKind
from sightline.queue.sync_state import FileStamp
from sightline.settings import Settings
from sightline_embedder.reading import PictureReader
from sightline_embedder.remotes import Remotes

LIMIT = 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def reader(root: Path, tmp_path: Path) -> PictureReader:
    settings = Settings(import_roots=[root], max_picture_bytes=LIMIT, buckets=["s3://photos"])
    return PictureReader.of(settings, FolderMediaStore(tmp_path / "media"), Remotes.of(settings))


def reason_of(reader: PictureReader, path: Path) -> FailureReason:
    with pytest.raises(BadPicture) as caught:
        reader.read("images", Item(number=0, kind=SourceKind.FOLDER, uri=path.as_uri()))
    assert str(path) in caught.value.detail
    return caught.value.reason


def test_reads_a_file_and_when_it_was_changed(reader: PictureReader, root: Path) -> None:
    path = root / os.fsdecode(b"caf\xe9.jpg")
    path.write_bytes(b"data")
    os.utime(path, (1_700_000_000, 1_700_000_000))

    raw = reader.read("images", Item(number=0, kind=SourceKind.FOLDER, uri=path.as_uri()))

    assert raw.data == b"data"
    assert raw.modified_at is not None
    assert raw.modified_at.timestamp() == 1_700_000_000
    assert raw.stamp == FileStamp(4, 1_700_000_000_000_000_000)


@pytest.fixture
def memory_root() -> Iterator[Path]:
    """A folder whose file system keeps any time."""
    if not Path("/dev/shm").is_dir():
        pytest.skip("no file system in memory is mounted at /dev/shm")
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.mark.parametrize("seconds", [10**12, -(10**12), 2**62])
def test_a_time_that_no_calendar_has_is_unknown_and_the_file_is_read(memory_root: Path, seconds: int) -> None:
    settings = Settings(import_roots=[memory_root])
    reader = PictureReader.of(settings, FolderMediaStore(memory_root / "media"), Remotes.of(settings))
    path = memory_root / "a.jpg"
    path.write_bytes(b"data")
    os.utime(path, (seconds, seconds))

    raw = reader.read("images", Item(number=0, kind=SourceKind.FOLDER, uri=path.as_uri()))

    assert (raw.data, raw.modified_at) == (b"data", None)
    assert raw.stamp == FileStamp(4, seconds * 1_000_000_000)


def test_a_file_changed_an_instant_ago_has_no_stamp(reader: PictureReader, root: Path) -> None:
    path = root / "a.jpg"
    path.write_bytes(b"data")
    os.utime(path, (int(time.time()), int(time.time())))

    assert reader.read("images", Item(number=0, kind=SourceKind.FOLDER, uri=path.as_uri())).stamp is None


def test_reads_an_upload_from_the_media_store(reader: PictureReader, tmp_path: Path) -> None:
    sha256 = sha256_of(b"data")
    FolderMediaStore(tmp_path / "media").put_original("images", sha256, b"data")

    assert (
        reader.read("images", Item(number=0, kind=SourceKind.UPLOAD, uri="upload:a.jpg", sha256=sha256)).data
        == b"data"
    )


def test_upload_that_was_deleted_meanwhile_is_not_found(reader: PictureReader) -> None:
    with pytest.raises(BadPicture) as caught:
        reader.read("images", Item(number=0, kind=SourceKind.UPLOAD, uri="upload:a.jpg", sha256="0" * 64))
    assert caught.value.reason is FailureReason.NOT_FOUND


def test_missing_file_and_link_in_a_circle_are_not_found(reader: PictureReader, root: Path) -> None:
    (root / "circle.jpg").symlink_to(root / "circle.jpg")
    assert reason_of(reader, root / "gone.jpg") is FailureReason.NOT_FOUND
    assert reason_of(reader, root / "circle.jpg") is FailureReason.NOT_FOUND


def test_path_or_link_out_of_the_roots_is_denied(reader: PictureReader, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"secret")
    (root / "link.jpg").symlink_to(outside)
    assert reason_of(reader, root / "link.jpg") is FailureReason.ACCESS_DENIED
    assert reason_of(reader, root / ".." / "outside.jpg") is FailureReason.ACCESS_DENIED


def test_what_is_no_regular_file_does_not_block(reader: PictureReader, root: Path) -> None:
    os.mkfifo(root / "pipe.jpg")
    (root / "folder.jpg").mkdir()
    assert reason_of(reader, root / "pipe.jpg") is FailureReason.NOT_AN_IMAGE
    assert reason_of(reader, root / "folder.jpg") is FailureReason.NOT_AN_IMAGE


def test_file_over_the_limit_is_not_read_whole(reader: PictureReader, root: Path) -> None:
    with (root / "large.jpg").open("wb") as file:
        file.truncate(1 << 40)
    assert reason_of(reader, root / "large.jpg") is FailureReason.TOO_MANY_BYTES


def test_what_was_refused_in_listing_stays_refused(reader: PictureReader, root: Path) -> None:
    (root / "a.jpg").write_bytes(b"data")
    refused = Refusal(reason=FailureReason.ARCHIVE_MEMBER_UNSAFE, detail="a link")
    item = Item(number=0, kind=SourceKind.ARCHIVE, uri=(root / "a.jpg").as_uri(), refused=refused)

    with pytest.raises(BadPicture, match="a link") as caught:
        reader.read("images", item)
    assert caught.value.reason is FailureReason.ARCHIVE_MEMBER_UNSAFE


def test_reads_an_object_of_a_bucket(reader: PictureReader, s3: Any) -> None:
    s3.fill("photos", {"a b.jpg": b"data", "large.jpg": bytes(LIMIT + 1)})

    raw = reader.read("images", Item(number=0, kind=SourceKind.BUCKET, uri="s3://photos/a%20b.jpg"))
    with pytest.raises(BadPicture) as large:
        reader.read("images", Item(number=0, kind=SourceKind.BUCKET, uri="s3://photos/large.jpg"))
    with pytest.raises(BadPicture) as elsewhere:
        reader.read("images", Item(number=0, kind=SourceKind.BUCKET, uri="s3://other/a.jpg"))

    assert raw.data == b"data"
    assert raw.modified_at is not None
    assert large.value.reason is FailureReason.TOO_MANY_BYTES
    assert elsewhere.value.reason is FailureReason.ACCESS_DENIED


@pytest.mark.parametrize(
    ("kind", "uri", "reason"),
    [
        (SourceKind.FOLDER, "file:///etc/passwd", FailureReason.ACCESS_DENIED),
        (SourceKind.ARCHIVE, "file:///etc/passwd", FailureReason.ACCESS_DENIED),
        (SourceKind.UPLOAD, "file:///etc/passwd", FailureReason.ACCESS_DENIED),
        (SourceKind.UPLOAD, "/proc/self/environ", FailureReason.ACCESS_DENIED),
        (SourceKind.BUCKET, "s3://other/a.jpg", FailureReason.ACCESS_DENIED),
        (SourceKind.BUCKET, "s3://photos/../other/a.jpg", FailureReason.ACCESS_DENIED),
        (SourceKind.URL, "http://127.0.0.1:1/a.jpg", FailureReason.ADDRESS_FORBIDDEN),
        (SourceKind.URL, "http://169.254.169.254/latest/meta-data/", FailureReason.ADDRESS_FORBIDDEN),
        (SourceKind.URL, "file:///etc/passwd", FailureReason.ADDRESS_FORBIDDEN),
    ],
)
def test_a_reference_is_judged_here_whoever_wrote_it(
    reader: PictureReader, kind: SourceKind, uri: str, reason: FailureReason
) -> None:
    """The api judged what it was asked for; whoever writes to Redis went past it."""
    with pytest.raises(BadPicture) as caught:
        reader.read("images", Item(number=0, kind=kind, uri=uri))
    assert caught.value.reason is reason


@pytest.mark.parametrize("sha256", ["../../../../etc/passwd", "/etc/passwd", "0" * 63 + "/", ""])
def test_a_hash_that_is_none_leads_nowhere(reader: PictureReader, sha256: str) -> None:
    with pytest.raises(BadRequest):
        reader.read("images", Item(number=0, kind=SourceKind.UPLOAD, uri="upload:a", sha256=sha256))
