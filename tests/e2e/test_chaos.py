"""The short chaos: a few runs with a fixed seed; `python tests/e2e/chaos.py` is the long one."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

_SPEC = importlib.util.spec_from_file_location("chaos", Path(__file__).with_name("chaos.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
chaos = importlib.util.module_from_spec(_SPEC)
sys.modules["chaos"] = chaos  # its dataclasses look themselves up there
_SPEC.loader.exec_module(chaos)

LONG = os.environ.get("SIGHTLINE_TEST_LONG") == "1"


def test_every_run_ends_by_itself_with_every_picture_accounted_for(run_stack: Any, tmp_path: Path) -> None:
    albums = tmp_path / "albums"
    albums.mkdir()
    with run_stack(tmp_path / "data", albums) as stack:
        done = chaos.chaos(
            stack,
            albums,
            runs=30 if LONG else 3,
            pictures=300 if LONG else 120,
            seed=5,
            victims=["redis", "embedder", "api", "index"],
        )
    assert [run for run in done if run.faults] == []
