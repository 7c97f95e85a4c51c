"""Images without the packages of OpenTelemetry: services start, unless they are told to trace."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_BLOCKER = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


@pytest.fixture
def not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that start now find none of what the extra `tracing` installs."""
    (tmp_path / "sitecustomize.py").write_text(_BLOCKER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))


@pytest.mark.usefixtures("not_installed")
def test_the_gateway_serves(serve: Any, tmp_path: Path) -> None:
    with serve(tmp_path / "data") as served:
        assert served.api.get("/readyz").raise_for_status().json()["ready"]
        assert served.api.get("/v1/search", params={"q": "a cat"}).is_success


@pytest.mark.usefixtures("not_installed")
@pytest.mark.parametrize("service", ["api", "embedder"])
def test_a_service_that_should_trace_says_what_is_missing(service: str) -> None:
    environment = os.environ | {"SIGHTLINE_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    command = [sys.executable, "-m", f"sightline_{service}"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)

    assert ended.returncode == 2
    assert "Get 'sightline[tracing]'" in ended.stderr
    assert "Traceback" not in ended.stderr
