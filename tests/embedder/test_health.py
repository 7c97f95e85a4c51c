"""The heartbeat stops when messages are no longer taken, and only then."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from sightline.queue.messages import Queue
from sightline.settings import Settings
from sightline_embedder.health import IDLE_S, SILENCE_S, Heartbeat, find_fault, main
from sightline_embedder.progress import Progress

WORKER = """
import sys
from pathlib import Path
from sightline.queue.broker import create_broker
from sightline_embedder import health
from sightline_embedder.progress import Progress

health.BEAT_S = 0.05
broker = create_broker(sys.argv[1], visibility_timeout_s=60)
health.send_heartbeats(broker, [health.Heartbeat(Path(sys.argv[2]), Progress()).beat])
options = {"without_heartbeat": True, "without_gossip": True, "without_mingle": True}
broker.Worker(pool="threads", concurrency=1, queues=["nothing"], quiet=True, **options).start()
"""


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    return Settings(redis_url=redis_url, heartbeat_file=tmp_path / "heartbeat")


@pytest.fixture
def waiting_message(redis: Redis) -> Iterator[None]:
    redis.lpush(Queue.INGEST.value, "a message")
    yield
    redis.delete(Queue.INGEST.value)


def beaten(settings: Settings) -> float:
    """Beat once; the time of the beat."""
    assert settings.heartbeat_file
    Heartbeat(settings.heartbeat_file, Progress()).beat()
    return settings.heartbeat_file.stat().st_mtime


def test_before_the_first_beat_it_is_not_well(settings: Settings) -> None:
    fault = find_fault(settings, time.time())
    assert fault is not None
    assert "not take messages yet" in fault


def test_a_heartbeat_that_cannot_be_read_is_a_fault(settings: Settings, tmp_path: Path) -> None:
    fault = find_fault(settings.model_copy(update={"heartbeat_file": tmp_path}), time.time())
    assert fault is not None
    assert "cannot be read: Is a directory" in fault


def test_beats_and_no_messages_are_well(settings: Settings) -> None:
    at = beaten(settings)
    assert find_fault(settings, at + SILENCE_S - 1) is None


def test_silence_is_a_fault(settings: Settings) -> None:
    fault = find_fault(settings, beaten(settings) + SILENCE_S + 1)
    assert fault is not None
    assert "has not turned" in fault


@pytest.mark.usefixtures("waiting_message")
def test_messages_that_nobody_takes_are_a_fault(settings: Settings) -> None:
    at = beaten(settings)
    assert settings.heartbeat_file
    os.utime(settings.heartbeat_file, (at + IDLE_S + 1, at + IDLE_S + 1))
    assert find_fault(settings, at + IDLE_S - 2) is None
    fault = find_fault(settings, at + IDLE_S + 2)
    assert fault is not None
    assert "1 messages wait" in fault


def test_a_model_that_encodes_nothing_is_a_fault_until_it_works_again(settings: Settings) -> None:
    assert settings.heartbeat_file
    progress = Progress()
    heart = Heartbeat(settings.heartbeat_file, progress)
    progress.fault = "It is broken:\nno primitive."
    heart.beat()
    assert find_fault(settings, time.time()) == "It is broken: no primitive."
    progress.fault = None
    heart.beat()
    assert find_fault(settings, time.time()) is None


@pytest.mark.usefixtures("waiting_message")
def test_a_download_that_goes_on_is_progress(settings: Settings) -> None:
    assert settings.heartbeat_file
    progress = Progress()
    progress.started -= 2 * IDLE_S
    heart = Heartbeat(settings.heartbeat_file, progress)
    heart.beat()
    assert find_fault(settings, time.time()) is not None
    progress.note()
    heart.beat()
    assert find_fault(settings, time.time()) is None


def test_command_says_what_is_wrong(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGHTLINE_REDIS_URL", str(settings.redis_url))
    monkeypatch.setenv("SIGHTLINE_HEARTBEAT_FILE", str(settings.heartbeat_file))
    assert main() == 1
    assert "not take messages yet" in capsys.readouterr().out
    beaten(settings)
    assert main() == 0


def test_worker_beats_and_goes_on_after_a_lost_connection(settings: Settings, redis: Redis) -> None:
    path = settings.heartbeat_file
    assert path
    with subprocess.Popen([sys.executable, "-c", WORKER, str(settings.redis_url), str(path)]) as worker:
        try:
            _until(path.exists)
            _until_newer(path)
            redis.client_kill_filter(_type="normal", skipme=True)
            _until_newer(path, by_s=2.0)
        finally:
            worker.terminate()


def _until_newer(path: Path, by_s: float = 0.0) -> None:
    before = path.stat().st_mtime
    _until(lambda: path.stat().st_mtime > before + by_s)


def _until(true: Callable[[], bool]) -> None:
    retry(retry=retry_if_result(lambda met: not met), stop=stop_after_delay(30), wait=wait_fixed(0.05))(
        true
    )()
