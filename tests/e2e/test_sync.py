"""A folder and the index that follows it, with the command as a user types it."""

import ctypes
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

LONG = os.environ.get("SIGHTLINE_TEST_LONG") == "1"
PICTURES = 5000 if LONG else 300
CHANGED = PICTURES // 100
"""How many files are added, changed, renamed and deleted, each."""
_IN_OPEN = 0x20


class OpenedFiles:
    """The files of some folders that anybody opens, as the kernel tells of them."""

    def __init__(self, folders: Iterator[Path]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._inotify >= 0, os.strerror(ctypes.get_errno())
        for folder in folders:
            added = libc.inotify_add_watch(self._inotify, os.fsencode(folder), _IN_OPEN)
            assert added >= 0, os.strerror(ctypes.get_errno())

    def names(self) -> list[str]:
        """What was opened since the last call, files only."""
        found = []
        while events := self._read():
            while events:
                _, mask, _, length = struct.unpack_from("iIII", events)
                name = events[16 : 16 + length].rstrip(b"\0")
                events = events[16 + length :]
                assert mask & _IN_OPEN, "the kernel could not keep up"
                found += [os.fsdecode(name)] if name.endswith(b".jpg") else []
        return found

    def _read(self) -> bytes:
        try:
            return os.read(self._inotify, 1 << 20)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        os.close(self._inotify)


@contextmanager
def opened_files(folder: Path) -> Iterator[OpenedFiles]:
    opened = OpenedFiles(path for path in (folder, *folder.rglob("*")) if path.is_dir())
    try:
        yield opened
    finally:
        opened.close()


@dataclass
class Album:
    """A folder of small pictures, spread over subfolders."""

    folder: Path
    made: int = 0

    def add(self) -> Path:
        file = self.folder / f"{self.made % 10}" / f"{self.made:05}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        self.fill(file)
        return file

    def fill(self, file: Path) -> None:
        """Put a new picture into a file, last changed long ago."""
        colours = np.random.default_rng(self.made).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((160, 120), Image.Resampling.BICUBIC).save(file, quality=80)
        moment = 1_700_000_000_000_000_001 + self.made * 1_000_000_007
        os.utime(file, ns=(moment, moment))
        self.made += 1

    def uris(self) -> set[str]:
        return {file.as_uri() for file in self.folder.rglob("*.jpg")}


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Album:
    album = Album(tmp_path_factory.mktemp("album"))
    for _ in range(PICTURES):
        album.add()
    return album


@pytest.fixture(scope="module")
def stack(run_tiny_stack: Any, tmp_path_factory: pytest.TempPathFactory, album: Album) -> Iterator[Any]:
    with run_tiny_stack(tmp_path_factory.mktemp("data"), album.folder) as stack:
        yield stack


def command(stack: Any, *words: str) -> list[str]:
    return [sys.executable, "-m", "sightline_local", "index", *words, "--url", str(stack.api.base_url)]


def run_sync(stack: Any, folder: Path) -> Any:
    """`sightline index --sync`; its job."""
    words = command(stack, str(folder), "--sync", "--json")
    ended = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr
    (job,) = json.loads(ended.stdout)
    return job


def seconds(job: Any) -> float:
    ends = [datetime.fromisoformat(job[name]) for name in ("created_at", "finished_at")]
    return (ends[1] - ends[0]).total_seconds()


def indexed(stack: Any) -> dict[str, Any]:
    """Every picture of the collection by the URI of its one source."""
    found: dict[str, Any] = {}
    cursor = None
    while True:
        page = stack.api.get(
            "/v1/images", params={"limit": 200} | ({"cursor": cursor} if cursor else {})
        ).json()
        for image in page["items"]:
            (source,) = image["sources"]
            found[source["uri"]] = image
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def change(album: Album) -> tuple[set[str], dict[str, str]]:
    """Add, change, rename and delete; the names to be read, and what was renamed to what."""
    chance = random.Random(1)
    files = chance.sample(sorted(album.folder.rglob("*.jpg")), 3 * CHANGED)
    to_read = {album.add().name for _ in range(CHANGED)}
    renamed = {}
    for number, file in enumerate(files):
        match number % 3:
            case 0:
                album.fill(file)
                to_read.add(file.name)
            case 1:
                target = album.folder / "0" / f"renamed-{file.name}"
                file.rename(target)
                renamed[file.as_uri()] = target.as_uri()
                to_read.add(target.name)
            case _:
                file.unlink()
    return to_read, renamed


def test_a_second_sync_reads_only_what_changed(stack: Any, album: Album) -> None:
    first = run_sync(stack, album.folder)
    assert first["counts"]["indexed"] == PICTURES
    before = indexed(stack)
    assert before.keys() == album.uris()

    with opened_files(album.folder) as opened:
        again = run_sync(stack, album.folder)
        assert opened.names() == []
    assert again["counts"]["unchanged"] == PICTURES

    to_read, renamed = change(album)
    with opened_files(album.folder) as opened:
        second = run_sync(stack, album.folder)
        assert sorted(opened.names()) == sorted(to_read)

    assert second["state"] == "succeeded"
    assert (second["counts"]["total"], second["counts"]["indexed"]) == (PICTURES, 2 * CHANGED)
    after = indexed(stack)
    assert after.keys() == album.uris()
    (collection,) = stack.api.get("/v1/stats").json()["collections"]
    assert collection["points"] == PICTURES
    for old, new in renamed.items():
        assert (after[new]["id"], after[new]["indexed_at"]) == (before[old]["id"], before[old]["indexed_at"])
    sys.stdout.write(
        f"\n{PICTURES} files: first sync {seconds(first):.2f} s, without changes {seconds(again):.2f} s, "
        f"with {len(to_read)} files read {seconds(second):.2f} s\n"
    )
    if LONG:
        assert seconds(second) < seconds(first) / 10


def test_watching_follows_the_folder_until_it_is_told_to_stop(stack: Any, album: Album) -> None:
    watching = subprocess.Popen(
        command(stack, str(album.folder), "--watch"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A suite that runs in the background of a shell ignores SIGINT, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with watching:
        try:
            assert watching.stderr is not None
            for line in watching.stderr:
                if "watching for changes" in line:
                    break
            assert indexed(stack).keys() == album.uris()
            album.add().rename(album.folder / "new.jpg")
            next(album.folder.rglob("0*.jpg")).unlink()
            deadline = time.monotonic() + 60
            while indexed(stack).keys() != album.uris():
                assert time.monotonic() < deadline
                time.sleep(0.2)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(20) == 0, watching.stderr.read()
        finally:
            watching.kill()  # Or the end of the block would wait for it without end.
    assert unquote((album.folder / "new.jpg").as_uri()) in indexed(stack)


def test_a_folder_that_the_api_may_not_read_is_not_synced(stack: Any, tmp_path: Path) -> None:
    Album(tmp_path).add()
    for option in ("--sync", "--watch"):
        ended = subprocess.run(
            command(stack, str(tmp_path), option), capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 2
        assert "SIGHTLINE_IMPORT_ROOTS" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
    file = next(tmp_path.rglob("*.jpg"))
    ended = subprocess.run(
        command(stack, str(file), "--sync"), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "only folders can be synced" in ended.stderr
