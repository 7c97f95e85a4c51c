"""Files from buckets are kept on the disk while they are read, as far as there is room."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sightline.buckets import Buckets
from sightline.errors import StorageFull
from sightline_embedder.fetching import Fetcher, FetchLimits
from sightline_embedder.sources import downloads as downloads_module
from sightline_embedder.sources.download_turns import DownloadTurns
from sightline_embedder.sources.downloads import Downloads

URL = "s3://photos/archive.zip"
CHUNKS = [b"a" * 1000] * 10


class OneObject:
    """A bucket as far as it is read; counts what is taken."""

    def __init__(self, content: Sequence[bytes] = CHUNKS) -> None:
        self.content = content
        self.taken = 0

    @contextmanager
    def stream(self, url: str, max_bytes: int) -> Iterator[Any]:
        def chunks() -> Iterator[bytes]:
            for chunk in self.content:
                self.taken += 1
                yield chunk

        yield SimpleNamespace(chunks=chunks())


def downloads(bucket: OneObject, folder: Path, min_free_bytes: int, progress: list[int]) -> Downloads:
    return Downloads(
        cast(Fetcher, None),
        cast(Buckets, bucket),
        folder,
        max_bytes=1 << 20,
        limits=FetchLimits(),
        min_free_bytes=min_free_bytes,
        turns=DownloadTurns(),
        on_progress=lambda: progress.append(bucket.taken),
    )


def test_all_that_arrives_is_progress(tmp_path: Path) -> None:
    progress: list[int] = []
    with downloads(OneObject(), tmp_path / "downloads", 0, progress)(URL) as file:
        assert file.read() == b"".join(CHUNKS)
    assert progress == list(range(1, len(CHUNKS) + 1))


def test_a_download_ends_where_the_disk_would_have_too_little_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = OneObject()
    free = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free._replace(free=10_000 - 1000 * bucket.taken))

    opened = downloads(bucket, tmp_path / "downloads", 5_000, [])(URL)
    with pytest.raises(StorageFull, match="SIGHTLINE_MIN_FREE_BYTES"):
        opened.__enter__()

    assert bucket.taken < len(CHUNKS)
    assert not list((tmp_path / "downloads").iterdir())


def test_a_small_file_that_a_full_disk_does_not_take_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is small waits in memory until the file is read.
    full = Path("/dev/full").open("r+b")  # noqa: SIM115 - closed by whoever downloads
    monkeypatch.setattr(downloads_module, "TemporaryFile", lambda **_: full)

    opened = downloads(OneObject([b"url\n"]), tmp_path / "downloads", 0, [])(URL)
    with pytest.raises(StorageFull, match="No space left on device"):
        opened.__enter__()
    assert full.closed
