"""The fuzz targets (fuzz.py), for a while, from a corpus of sound inputs."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from sightline_api.http.example_values import FILTER_JSON, QUERY, STEERED_QUERY, TREE_JSON

FUZZ = Path(__file__).with_name("fuzz.py")
SEED = 7
LONG = os.environ.get("SIGHTLINE_TEST_LONG") == "1"
RUNS = {"decoder": 700, "filters": 4_000, "queries": 8_000}
LONG_S = 120


@pytest.fixture(scope="module")
def sound() -> dict[str, list[bytes]]:
    """Inputs of each target that are as they should be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FUZZ.parent.parent / "engine/pictures")
        pictures = [seed.data for seed in import_module("seed_pictures").seed_pictures()]
    return {
        "decoder": [data for data in pictures if len(data) < 20_000],
        "filters": [FILTER_JSON.encode(), TREE_JSON.encode()],
        "queries": [QUERY.encode(), STEERED_QUERY.encode()],
    }


@pytest.mark.parametrize("target", RUNS)
def test_nothing_but_what_is_promised_happens(
    target: str, sound: dict[str, list[bytes]], tmp_path: Path
) -> None:
    pytest.importorskip("atheris", reason="atheris has no wheel for this machine")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, data in enumerate(sound[target]):
        (corpus / str(number)).write_bytes(data)
    enough = f"-max_total_time={LONG_S}" if LONG else f"-runs={RUNS[target]}"
    command = [sys.executable, str(FUZZ), target, str(corpus), enough, f"-seed={SEED}", "-timeout=30"]
    # The peak of a process begins with that of its parent, so allocations are limited instead.
    command += ["-rss_limit_mb=0", "-malloc_limit_mb=2048"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-5_000:]
    assert "Done" in done.stderr
