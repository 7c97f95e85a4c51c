"""The Redis of an embedded stack: one per folder, found again after a crash."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import psutil
import pytest
from redis import Redis
from redis.exceptions import BusyLoadingError
from structlog.testing import capture_logs

from sightline_local import redis_child
from sightline_local.data_folder import DataFolder, open_data_folder
from sightline_local.errors import StartError
from sightline_local.redis_child import RedisChild


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with open_data_folder(tmp_path) as folder:
        yield folder


def pid_of(child: RedisChild) -> int:
    with Redis.from_url(child.url) as client:
        return int(client.info("server")["process_id"])


def test_starts_private_and_stops(folder: DataFolder) -> None:
    child = RedisChild(folder)
    child.ensure()
    assert child.alive()
    assert (folder.runtime / "redis.sock").stat().st_mode & 0o777 == 0o600
    pid = pid_of(child)

    child.stop()

    assert not child.alive()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_one_left_by_a_dead_stack_is_adopted_and_not_doubled(folder: DataFolder) -> None:
    left_over = RedisChild(folder)
    left_over.ensure()

    adopting = RedisChild(folder)
    adopting.ensure()

    assert pid_of(adopting) == pid_of(left_over)
    adopting.stop()
    assert not left_over.alive()


def test_what_was_acknowledged_survives_a_kill(folder: DataFolder) -> None:
    child = RedisChild(folder)
    child.ensure()
    with Redis.from_url(child.url) as client:
        client.config_set("appendfsync", "always")
        client.set("key", "value")
    killed = psutil.Process(pid_of(child))
    killed.kill()
    psutil.wait_procs([killed], timeout=5)

    child.ensure()

    with Redis.from_url(child.url) as client:
        assert client.get("key") == b"value"
    child.stop()


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], bool]], None]:
    """Has every Redis say that it is loading its data, as long as a function says so."""

    def install(still: Callable[[], bool]) -> None:
        class Loading(Redis):
            def ping(self, **options: object) -> bool:
                if still():
                    raise BusyLoadingError
                return bool(super().ping(**options))

        monkeypatch.setattr(redis_child, "Redis", Loading)

    return install


def test_one_that_loads_its_data_for_long_is_waited_for(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch, loading: Callable[[Callable[[], bool]], None]
) -> None:
    child = RedisChild(folder)
    child.ensure()
    monkeypatch.setattr(redis_child, "START_TIMEOUT_S", 0.3)
    loaded_at = time.monotonic() + 1.5
    loading(lambda: time.monotonic() < loaded_at)
    with capture_logs() as logs:
        child.ensure()
    assert time.monotonic() >= loaded_at
    assert [(one["event"], one["pid"]) for one in logs] == [("redis_loading", pid_of(child))]
    child.stop()


def test_one_that_ends_whenever_it_loads_its_data_is_given_up(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch, loading: Callable[[Callable[[], bool]], None]
) -> None:
    child = RedisChild(folder)
    child.ensure()
    monkeypatch.setattr(redis_child, "START_TIMEOUT_S", 0.3)

    def dies() -> bool:
        assert child._process is not None
        child._process.kill()
        child._process.wait(5)
        return True

    loading(dies)
    with pytest.raises(StartError, match=r"did not answer within .* Its log is"):
        child.ensure()
    child.stop()


def test_a_stack_that_is_stopped_does_not_wait_for_its_data(
    folder: DataFolder, loading: Callable[[Callable[[], bool]], None]
) -> None:
    stopping = Event()

    def still() -> bool:
        stopping.set()
        return True

    loading(still)
    child = RedisChild(folder)
    child.ensure(stopping)
    child.stop()
    assert not child.alive()


def test_second_stack_on_the_folder_is_refused(folder: DataFolder) -> None:
    with pytest.raises(StartError, match="Another Sightline"), open_data_folder(folder.root):
        pass


def test_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(StartError, match="cannot be written"), open_data_folder(tmp_path / "file" / "data"):
        pass
