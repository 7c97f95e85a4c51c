"""The short chaos: a few runs with a fixed seed; `python tests/e2e/chaos.py` is the long one."""

import os
from pathlib import Path
from typing import Any

import chaos

LONG = os.environ.get("SIGHTLINE_TEST_LONG") == "1"


def test_every_run_ends_by_itself_with_every_picture_accounted_for(
    run_tiny_stack: Any, tmp_path: Path
) -> None:
    albums = tmp_path / "albums"
    albums.mkdir()
    with run_tiny_stack(tmp_path / "data", albums) as stack:
        done = chaos.chaos(
            stack,
            albums,
            runs=30 if LONG else 3,
            pictures=300 if LONG else 120,
            seed=5,
            victims=["redis", "embedder", "api", "index"],
        )
    assert [run for run in done if run.faults] == []
