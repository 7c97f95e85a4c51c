"""`sightline demo`: what a newcomer sees first."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

RIGHT = {
    "a cat": {"chelsea.png"},
    "a cup of coffee": {"coffee.png"},
    "a rocket": {"rocket.jpg"},
    "the moon": {"moon.png"},
    "coins": {"coins.png"},
    "a horse": {"horse.png"},
    "a motorcycle": {"motorcycle_left.png", "motorcycle_right.png"},
    "a clock": {"clock_motion.png"},
    "a temple": {"china.jpg"},
    "a photographer with a camera": {"camera.png"},
}


def test_demo_indexes_real_pictures_and_finds_them(tmp_path: Path, starter_artifact: Path) -> None:
    command = [sys.executable, "-m", "sightline_local", "demo", "--json", "--data", str(tmp_path)]
    environment = {**os.environ, "SIGHTLINE_MODEL": str(starter_artifact)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)

    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout)
    assert [job["state"] for job in results["jobs"]] == ["succeeded"]
    assert results["jobs"][0]["counts"]["indexed"] >= 20
    first = {text: hits[0]["picture"] for text, hits in results["texts"].items()}
    assert first.keys() == RIGHT.keys()
    assert sum(first[text] in right for text, right in RIGHT.items()) >= 8, first
    assert results["by_copy"][0]["picture"] == "chelsea.png"
    assert results["by_copy"][0]["id"] not in {hit["id"] for hit in results["similar"]}


def _runs(*words: str) -> Callable[[psutil.Process], bool]:
    """Whether a process below `demo` has these words in its command."""

    def look(demo: psutil.Process) -> bool:
        commands = [_command(child) for child in demo.children(recursive=True)]
        return any(set(words) <= set(command) for command in commands)

    return look


def _serves(demo: psutil.Process) -> bool:
    """Whether the API listens, after which pictures are sent."""
    gateways = [child for child in demo.children() if "sightline_api" in _command(child)]
    with suppress(psutil.NoSuchProcess):
        return any(one.status == psutil.CONN_LISTEN for api in gateways for one in api.net_connections())
    return False


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    ("built", "reached"),
    [
        pytest.param(False, _runs("model", "build"), id="building"),
        pytest.param(True, _runs("sightline.index.edge.process"), id="starting"),
        pytest.param(True, _serves, id="indexing"),
    ],
)
def test_demo_is_stopped_wherever_it_is(
    tmp_path: Path,
    starter_artifact: Path,
    built: bool,
    reached: Callable[[psutil.Process], bool],
    number: signal.Signals,
    status: int,
) -> None:
    command = [sys.executable, "-m", "sightline_local", "demo", "--data", str(tmp_path)]
    environment = {**os.environ, "SIGHTLINE_MODEL": str(starter_artifact) if built else "starter"}
    log = tmp_path / "demo.log"
    with log.open("wb") as out:
        demo = psutil.Popen(
            command,
            env=environment,
            stdout=out,
            stderr=out,
            # A suite that runs in the background of a shell ignores SIGINT, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    deadline = time.monotonic() + 120
    while not reached(demo):
        assert demo.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.01)
    children = demo.children(recursive=True)

    demo.send_signal(number)

    assert demo.wait(60) == status, log.read_text()
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert "Traceback" not in log.read_text()
    assert list((tmp_path / "models").glob(".*")) == []
