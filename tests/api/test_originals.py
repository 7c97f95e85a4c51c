"""Originals in folders: what may have become of a file since it was indexed."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from sightline.buckets import Buckets
from sightline.errors import NotFound
from sightline.identity import point_id, sha256_of
from sightline.index import StoredPoint
from sightline.media import FolderMediaStore
from sightline.payload import Payload, Source
from sightline.settings import Settings
from sightline_api.originals import MOST_HELD, Originals

DATA = b"the bytes that were indexed"
Read = Callable[[Path], bytes]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


@pytest.fixture
def read(root: Path, tmp_path: Path, make_payload: Callable[..., Payload]) -> Read:
    settings = Settings(import_roots=[root], max_picture_bytes=1_000, data_dir=tmp_path)
    originals = Originals(settings, FolderMediaStore(tmp_path / "media"), Buckets.of(settings))

    def read(path: Path) -> bytes:
        sources = {"k": Source(kind="folder", uri=path.as_uri())}
        payload = make_payload(sha256=sha256_of(DATA), sources=sources)
        return originals.read("images", StoredPoint(point_id(payload.sha256), payload))

    return read


def test_a_file_that_is_what_it_was_is_read(read: Read, root: Path) -> None:
    (root / "a.jpg").write_bytes(DATA)
    assert read(root / "a.jpg") == DATA


def test_one_that_has_changed_is_not(read: Read, root: Path) -> None:
    (root / "a.jpg").write_bytes(DATA + b".")
    with pytest.raises(NotFound):
        read(root / "a.jpg")


def test_a_pipe_holds_nobody_up(read: Read, root: Path) -> None:
    os.mkfifo(root / "a.jpg")
    with pytest.raises(NotFound):
        read(root / "a.jpg")


def test_a_file_that_would_fill_the_memory_is_not_read(read: Read, root: Path) -> None:
    with (root / "a.jpg").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(NotFound):
        read(root / "a.jpg")


def test_nothing_outside_of_the_roots_is_read(read: Read, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(DATA)
    (root / "link.jpg").symlink_to(outside)
    for path in (outside, root / "link.jpg", root / ".." / "outside.jpg"):
        with pytest.raises(NotFound):
            read(path)


def test_an_original_waits_for_room_in_memory(tmp_path: Path) -> None:
    media = FolderMediaStore(tmp_path)
    originals = Originals(Settings(), media, Buckets.of(Settings()))
    with ExitStack() as held:
        for _ in range(MOST_HELD):
            held.enter_context(originals.place(0))
        with pytest.raises(TimeoutError), originals.place(0.01):
            pass
    with originals.place(0):
        pass
