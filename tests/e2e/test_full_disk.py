"""A disk that fills up: uploads are refused, the job says why, and nothing is broken afterwards."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20
RESERVE = 48 * MIB
ENVIRONMENT = {"SIGHTLINE_MIN_FREE_BYTES": str(RESERVE)}

long_only = pytest.mark.skipif(
    os.environ.get("SIGHTLINE_TEST_LONG") != "1", reason="the long version: SIGHTLINE_TEST_LONG=1"
)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 192 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=192m", "tmpfs", disk], stderr=subprocess.PIPE, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk: " + mounted.stderr.decode().strip())
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path, leaving: int) -> Path:
    about = os.statvfs(disk)
    taking = about.f_bavail * about.f_frsize - leaving
    filler = disk / "filler"
    with filler.open("wb") as file:
        while True:
            try:
                os.posix_fallocate(file.fileno(), 0, taking)
                return filler
            except OSError as error:
                # The stack has written since the disk was asked what is free.
                if error.errno != errno.ENOSPC:
                    raise
                taking -= MIB


def points(stack: Any) -> int:
    collections = stack.api.get("/v1/stats").json()["collections"]
    return sum(one["points"] for one in collections if one["name"] == "images")


def upload(stack: Any, picture: Path) -> Any:
    with picture.open("rb") as file:
        return stack.api.post("/v1/images", files={"files": file}, headers={"Prefer": "wait=60"})


@pytest.mark.parametrize(
    "leaving",
    [
        pytest.param(RESERVE // 2, id="below the reserve"),
        pytest.param(0, id="to the last byte", marks=long_only),
    ],
)
def test_full_disk_refuses_uploads_and_fails_jobs_and_breaks_nothing(
    run_tiny_stack: Any,
    small_disk: Path,
    many_pictures: Path,
    photo_folder: Path,
    leaving: int,
) -> None:
    with run_tiny_stack(small_disk / "data", many_pictures, ENVIRONMENT) as stack:
        assert upload(stack, photo_folder / "chelsea.png").json()["state"] == "succeeded"
        filler = fill(small_disk, leaving)

        refused = upload(stack, photo_folder / "coffee.png")
        assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
        job_id = stack.ingest(many_pictures) if leaving else None
        if job_id:
            job = stack.ended_job(job_id, within_s=60)
            assert (job["state"], job["error"]["code"]) == ("failed", "storage_full")
            assert job["counts"]["failed"] == 0
        assert stack.api.get("/v1/search", params={"q": "a cat"}).json()["hits"]

        # Then room is made, and the same again goes through.
        filler.unlink()
        assert upload(stack, photo_folder / "coffee.png").json()["state"] == "succeeded"
        job = stack.ended_job(stack.ingest(many_pictures), within_s=120)
        assert (job["state"], job["counts"]["total"]) == ("succeeded", 500)
        assert points(stack) == 502

    with run_tiny_stack(small_disk / "data", many_pictures, ENVIRONMENT) as stack:
        assert points(stack) == 502
        hits = stack.api.get("/v1/search", params={"q": "a cup of coffee", "limit": 200}).json()["hits"]
        assert len(hits) == 200


def test_disk_that_fills_up_in_the_middle_of_a_job_loses_nothing(
    run_tiny_stack: Any, small_disk: Path, many_pictures: Path
) -> None:
    with run_tiny_stack(small_disk / "data", many_pictures, ENVIRONMENT) as stack:
        job_id = stack.ingest(many_pictures)
        filler = fill(small_disk, leaving=0)
        filler.unlink()

        job = stack.ended_job(job_id, within_s=180)

        assert (job["state"], job["counts"]["indexed"]) == ("succeeded", 500)
        assert points(stack) == 500
