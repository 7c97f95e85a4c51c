"""One bad picture never costs another, and each has its reason."""

import os
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is this large and has nothing to show for it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    photo = Image.open(photo_folder / "coffee.png").convert("RGB")
    for number in range(30):
        photo.crop((number * 4, 0, 300 + number * 4, 300)).save(folder / f"good{number:02}.jpg")
    whole = (photo_folder / "rocket.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("This is no picture at all.\n" * 20)
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "huge.png").write_bytes(png_header(40_000, 40_000))
    (folder / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "out.jpg").symlink_to("/etc/hostname")
    os.mkfifo(folder / "pipe.jpg")
    shutil.copyfile(photo_folder / "moon.png", folder / "unreadable.png")
    (folder / "unreadable.png").chmod(0)
    (folder / "closed").mkdir(mode=0)
    return folder


REASONS = {
    "cut.jpg": "truncated",
    "text.jpg": "not_an_image",
    "empty.jpg": "empty",
    "huge.png": "too_many_pixels",
    "drawing.svg": "unsupported_format",
    "gone.jpg": "not_found",
    "out.jpg": "access_denied",
    "pipe.jpg": "not_an_image",
    "unreadable.png": "access_denied",
    "closed": "access_denied",
}


def unprivileged() -> tuple[str, ...]:
    """A prefix without root's right to read everything, so that an unreadable file is one."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("run as root without setpriv, every file is readable")
    return (setpriv, "--bounding-set=-dac_override,-dac_read_search", "--")


def test_good_pictures_are_indexed_and_each_bad_one_is_named(
    run_tiny_stack: Any, tmp_path: Path, folder: Path
) -> None:
    with run_tiny_stack(tmp_path / "data", folder, prefix=unprivileged()) as stack:
        job = stack.ended_job(stack.ingest(folder), within_s=90)

        assert job["state"] == "partial"
        assert job["counts"]["indexed"] == 30
        assert job["counts"]["failed"] == len(REASONS)
        failures = stack.api.get(job["links"]["failures"]).json()["items"]
        assert {Path(one["source"]).name: one["reason"] for one in failures} == REASONS
        assert all(len(one["detail"]) > 10 for one in failures)
        only = stack.api.get(job["links"]["failures"], params={"reason": "truncated"}).json()["items"]
        assert [Path(one["source"]).name for one in only] == ["cut.jpg"]
