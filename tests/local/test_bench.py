"""`sightline bench` as a user types it, for a second: what it says, never how fast something was."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from sightline_local.samples import copy_samples


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real pictures, one in a folder below, and one file that is none."""
    folder = copy_samples(tmp_path_factory.mktemp("photos"))
    (folder / "below").mkdir()
    (folder / "coffee.png").rename(folder / "below" / "coffee.png")
    (folder / "broken.jpg").write_text("no picture")
    return folder


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files with a short name: sockets are made in it."""
    with TemporaryDirectory(prefix="sl-") as folder:
        yield Path(folder)


def bench(*words: str, temporary: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sightline_local", "bench", "--seconds", "1", *words]
    environment |= {"TMPDIR": str(temporary), "COLUMNS": "120"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=os.environ | environment, check=False
    )


def numbers(value: Any) -> Iterator[float]:
    for one in value.values():
        if isinstance(one, dict):
            yield from numbers(one)
        elif not isinstance(one, str | bool):
            yield one


def test_everything_is_measured_and_the_forecast_follows_from_it(
    photos: Path, temporary: Path, tmp_path: Path, tiny_clip_artifact: Path
) -> None:
    data = tmp_path / "data"
    words = [str(photos), "--model", str(tiny_clip_artifact), "--data", str(data)]

    ended = bench(*words, "--pictures", "25000", "--json", temporary=temporary)

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    report = json.loads(ended.stdout)
    measured = report["measured"]
    assert (measured["pictures"], measured["skipped"], measured["listed"]) == (25, 1, 26)
    assert (measured["model"], measured["costs"]["dimension"]) == ("tiny-clip", 32)
    assert all(number >= 0 for number in numbers(measured))
    assert min(measured[name] for name in ("text_ms", "search_ms", "bytes_per_picture")) > 0
    rates = measured["rates"]
    parts = (rates["decode"], rates["encode"], rates["insert"])
    assert 1 / rates["together"] == pytest.approx(sum(1 / rate for rate in parts))
    # Thumbnails are files of whole blocks, and some hundred bytes of payload are stored with a point.
    assert measured["costs"]["thumbnail_disk"] >= 4096
    assert 200 < measured["costs"]["payload_disk"] < 20_000

    rows = report["forecast"]
    assert [row["pictures"] for row in rows] == [10_000, 25_000, 100_000, 1_000_000]
    assert [row["quantization"] for row in rows] == ["none", "none", "none", "turbo4"]
    for row in rows:
        assert row["hours"] == pytest.approx(row["pictures"] / rates["together"] / 3600)
        assert row["thumbnails_disk"] == pytest.approx(
            row["pictures"] * measured["costs"]["thumbnail_disk"], abs=1
        )
        assert row["disk"] == row["vectors_disk"] + row["payload_disk"] + row["thumbnails_disk"]
    # Nothing is left behind, and no data folder was made: the model was at hand.
    assert list(temporary.iterdir()) == []
    assert not data.exists()


def test_sample_pictures_two_tables_and_what_they_are_worth(
    temporary: Path, tmp_path: Path, tiny_clip_artifact: Path
) -> None:
    words = ["--model", str(tiny_clip_artifact), "--data", str(tmp_path / "data")]

    # A setting that would have the index built again and again does not reach the measured one.
    ended = bench(*words, temporary=temporary, SIGHTLINE_INDEX_REBUILD_POINTS="100")

    assert ended.returncode == 0, ended.stderr
    for said in ("25 of 25", "decoding, with thumbnails", "all together", "search among 1,000", "turbo4"):
        assert said in ended.stdout
    assert "Measured:" in ended.stdout
    assert "Extrapolated:" in ended.stdout
    assert "sample pictures" in ended.stdout
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([], "sightline: There are no pictures in "),
        (
            ["broken.jpg"],
            "sightline: None of the pictures looked at can be used. The first: The file does not ",
        ),
    ],
)
def test_nothing_to_measure_on_is_one_sentence_and_status_2(
    temporary: Path, tmp_path: Path, tiny_clip_artifact: Path, files: list[str], sentence: str
) -> None:
    (tmp_path / "photos").mkdir()
    for name in files:
        (tmp_path / "photos" / name).write_text("no picture")

    ended = bench(
        str(tmp_path / "photos"),
        *("--model", str(tiny_clip_artifact), "--data", str(tmp_path / "data")),
        temporary=temporary,
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith(sentence)
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stdout == ""


def test_the_command_itself_loads_none_of_what_it_measures() -> None:
    heavy = {"openvino", "numpy", "psutil", "sightline.decoder", "sightline.index"}
    check = f"import sightline_local.main, sys; print({heavy} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"
