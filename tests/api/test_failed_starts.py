"""A service that cannot start says why in a sentence, and ends with 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REDIS_MISSING = "SIGHTLINE_REDIS_URL is not set"


@pytest.mark.parametrize("service", ["api", "embedder"])
def test_without_an_address_of_redis(service: str) -> None:
    assert REDIS_MISSING in failed_start(service)


def test_without_a_model(tiny_clip_artifact: Path, redis_url: str, tmp_path: Path) -> None:
    said = failed_start(
        "api",
        SIGHTLINE_REDIS_URL=redis_url,
        SIGHTLINE_INDEX_SOCKET=str(tmp_path / "no-index"),
        SIGHTLINE_DATA_DIR=str(tmp_path),
        SIGHTLINE_MODEL=str(tmp_path / "no-model"),
    )
    assert "no-model" in said


def failed_start(service: str, **settings: str) -> str:
    """What a service says as it does not start."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIGHTLINE_")}
    command = [sys.executable, "-m", f"sightline_{service}"]
    ended = subprocess.run(
        command, env=kept | settings, capture_output=True, text=True, check=False, timeout=200
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended.stdout + ended.stderr
