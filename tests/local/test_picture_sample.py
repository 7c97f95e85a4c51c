"""Which pictures of a folder are measured on."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline_local.errors import BenchError
from sightline_local.picture_sample import read_sample, spread

PATIENT_S = 60.0
LARGE = 1 << 20


@given(st.integers(0, 500), st.integers(1, 50))
def test_a_sample_is_spread_over_everything(number: int, count: int) -> None:
    chosen = spread(range(number), count)
    assert len(chosen) == min(number, count)
    assert chosen == sorted(set(chosen))
    gaps = [after - before for before, after in zip([-1, *chosen], [*chosen, number], strict=True)]
    assert max(gaps) <= 4 * max(1, -(-number // count))


def make_files(folder: Path, number: int) -> None:
    for one in range(number):
        below = folder / f"{one // 10}"
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{one:03}.jpg").write_bytes(b"%d" % one)


def test_folders_below_are_looked_into_and_other_files_left_alone(tmp_path: Path) -> None:
    make_files(tmp_path, 40)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.jpg").write_text("hidden")

    sample = read_sample(tmp_path, 8, LARGE, PATIENT_S)

    chosen = [int(data) for data in sample.files]
    assert len(chosen) == 8
    assert {number // 10 for number in chosen} == {0, 1, 2, 3}
    assert (sample.listed, sample.whole_folder, sample.faults) == (40, True, [])


def test_what_cannot_be_read_is_skipped_and_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a picture")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "large.jpg").write_bytes(b"x" * 100)
    os.mkfifo(tmp_path / "pipe.jpg")

    sample = read_sample(tmp_path, 8, 99, PATIENT_S)

    assert sample.files == [b"a picture"]
    for name in ("gone.jpg", "large.jpg", "pipe.jpg"):
        assert any(name in fault for fault in sample.faults)


def test_a_folder_too_large_to_list_is_measured_on_its_beginning(tmp_path: Path) -> None:
    make_files(tmp_path, 40)

    sample = read_sample(tmp_path, 8, LARGE, 0.0)

    assert sample.files == [b"0"]
    assert (sample.listed, sample.whole_folder) == (1, False)


def test_a_folder_without_pictures_and_none_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(BenchError, match=f"no pictures in {tmp_path}"):
        read_sample(tmp_path, 8, LARGE, PATIENT_S)
    with pytest.raises(BenchError, match=f"no folder {tmp_path / 'nowhere'}"):
        read_sample(tmp_path / "nowhere", 8, LARGE, PATIENT_S)
