"""Damaged files of every format: each is decoded or given a reason, in time and memory (mutation_run.py)."""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sightline.decoder import PictureDecoder
from sightline.encoder.artifact import Preprocessing
from sightline.errors import BadPicture, FailureReason
from sightline.pictures import PictureLimits, open_picture
from sightline.settings import MIB, Settings

HERE = Path(__file__).parent
LONG = os.environ.get("SIGHTLINE_TEST_LONG") == "1"
REASONS = {
    FailureReason.NOT_AN_IMAGE,
    FailureReason.UNSUPPORTED_FORMAT,
    FailureReason.TRUNCATED,
    FailureReason.TOO_MANY_BYTES,
    FailureReason.TOO_MANY_PIXELS,
    FailureReason.DECODE_TIMEOUT,
}
PEAK_BYTES = 1_000_000_000
IDLE_BYTES = 300 * MIB
"""A decode process starts with 60 MiB; with an allocator left to itself it ends with up to a gigabyte."""
TIME_TO_END_S = 5.0
"""What may pass between a decoder's time limit and its picture's failure on a busy machine."""


@pytest.fixture(scope="module")
def load() -> Iterator[Callable[[str], ModuleType]]:
    """Import a module that stands beside this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        yield import_module


def run_mutations(seed: int, count: int) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "mutation_run.py"), "--seed", str(seed), "--count", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=count, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def check_report(report: dict[str, Any], count: int) -> None:
    reasons = report["reasons"]
    assert sum(reasons.values()) == report["files"] == count
    assert set(reasons) <= REASONS | {"decoded"}, report["suspects"]
    assert report["slowest"][0]["seconds"] < Settings().decode_timeout_s + TIME_TO_END_S
    assert 100 * MIB < report["peak_bytes"] < PEAK_BYTES
    assert report["idle_bytes"] < IDLE_BYTES
    assert reasons["decoded"] > count // 5
    assert len(reasons) >= 5


def test_2000_damaged_files(load: Callable[[str], ModuleType]) -> None:
    report = run_mutations(seed=1, count=2000)

    check_report(report, 2000)
    files = load("mutations").mutated_files(1, 2000)
    assert report["sha256"] == load("mutation_run").sha256_of(files), "a seed does not give the same files"


@pytest.mark.long
@pytest.mark.skipif(not LONG, reason="16,000 more damaged files are for SIGHTLINE_TEST_LONG=1")
@pytest.mark.parametrize("seed", range(2, 10))
def test_more_damaged_files(seed: int) -> None:
    check_report(run_mutations(seed, 2000), 2000)


def test_every_seed_has_files_of_its_own(load: Callable[[str], ModuleType]) -> None:
    mutations = load("mutations")
    files = list(mutations.mutated_files(3, 64))

    assert files[:20] == list(mutations.mutated_files(3, 20))
    assert not {data for _, data in files} & {data for _, data in mutations.mutated_files(4, 64)}
    assert len({name for name, _ in files}) == 64
    assert {name.split("-")[2] for name, _ in files} == set(mutations.FORMATS)


def test_what_is_damaged_was_sound(load: Callable[[str], ModuleType], limits: PictureLimits) -> None:
    for picture in load("seed_pictures").seed_pictures():
        decoded = open_picture(picture.data, limits, min_side=64)
        assert decoded.info.format == picture.format, picture.name
        extrema = decoded.image.convert("L").getextrema()
        assert extrema[1] - extrema[0] > 50, picture.name


# What such runs have found


def tiff(*entries: tuple[int, int, int]) -> bytes:
    """A directory of (tag, type, value), nothing behind it."""
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + directory + bytes(4)


OFFSET_BEYOND_MEMORY = b"II+\0\x08\0\0\0" + b"\xff" * 8
COUNT_BEYOND_MEMORY = b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10" + b"\xff" * 8
ROW_OF_250_MILLION_THAT_ENDS_AT_ONCE = (
    struct.pack("<2sIHHI", b"BM", 66, 0, 0, 62)
    + struct.pack("<IiiHHIIiiII", 40, 250_000_000, 1, 1, 8, 1, 4, 0, 0, 2, 0)
    + bytes(8)
    + b"\1\1\0\0"
)
SAMPLES_WITHOUT_END = tiff((256, 4, 64), (257, 4, 64), (258, 3, 8), (262, 3, 1), (277, 3, 255))


@pytest.fixture(scope="module")
def decoder(preprocessing: Preprocessing) -> Iterator[PictureDecoder]:
    """One process, 2 seconds and 700 MiB for each picture."""
    settings = Settings(decode_timeout_s=2, decode_memory_bytes=700 * MIB)
    with PictureDecoder.of(settings, preprocessing, processes=1) as decoder:
        decoder.warm()
        yield decoder


def failure_of(decoder: PictureDecoder, data: bytes) -> BadPicture:
    with pytest.raises(BadPicture) as caught:
        decoder.submit(data).result(timeout=60)
    return caught.value


@pytest.mark.parametrize("data", [OFFSET_BEYOND_MEMORY, COUNT_BEYOND_MEMORY])
def test_an_offset_beyond_all_memory_is_no_error_of_ours(decoder: PictureDecoder, data: bytes) -> None:
    assert failure_of(decoder, data).reason is FailureReason.TRUNCATED


def test_a_row_that_is_filled_pixel_by_pixel_ends_in_time(decoder: PictureDecoder) -> None:
    reason = failure_of(decoder, ROW_OF_250_MILLION_THAT_ENDS_AT_ONCE).reason

    assert reason in {FailureReason.DECODE_TIMEOUT, FailureReason.TRUNCATED, FailureReason.TOO_MANY_PIXELS}


def test_what_pillow_logs_about_a_file_is_not_written(
    preprocessing: Preprocessing, capfd: pytest.CaptureFixture[str]
) -> None:
    with PictureDecoder.of(Settings(), preprocessing, processes=1) as decoder:
        assert failure_of(decoder, SAMPLES_WITHOUT_END).reason is FailureReason.UNSUPPORTED_FORMAT

    assert capfd.readouterr().err == ""
