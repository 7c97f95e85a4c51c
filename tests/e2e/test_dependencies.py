"""Each process of the stack that others depend on hangs or dies in turn: it is named, the rest goes on, and
when it is back nothing needs a restart."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

WITHIN_S = 60.0
INDEX = "sightline.index.edge.process"


def until(holds: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not so within {WITHIN_S:.0f} s: {what}")


def failing(stack: Any) -> dict[str, str]:
    dependencies = stack.api.get("/readyz").json()["dependencies"]
    return {
        name: f"{one['detail']} {one['remedy']}" for name, one in dependencies.items() if not one["ready"]
    }


def status(stack: Any) -> int:
    code: int = stack.api.get("/readyz").status_code
    return code


def search(stack: Any) -> Any:
    return stack.api.get("/v1/search", params={"q": "a cat"})


def upload(stack: Any, photo: Path) -> Any:
    """The job of an upload, which has succeeded."""
    wait = {"Prefer": "wait=60"}
    with photo.open("rb") as file:
        job = stack.api.post("/v1/images", files={"files": file}, headers=wait, timeout=90).json()
    assert job.get("state") == "succeeded", job
    return job


@contextmanager
def hung(process: psutil.Process) -> Iterator[None]:
    """The process stands still, as one does that swaps, or waits for a disk."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def stack(run_tiny_stack: Any, photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with run_tiny_stack(tmp_path_factory.mktemp("stack") / "data", photo_folder) as stack:
        upload(stack, photo_folder / "chelsea.png")
        yield stack


def test_the_embedder_says_that_it_is_alive_and_how_far_it_got(stack: Any) -> None:
    def embedders() -> Any:
        found = stack.api.get("/v1/stats").json()["embedders"]
        return found if found and found[0]["batches"] else None

    (embedder,) = until(embedders, "the embedder tells of its batch")
    assert embedder["last_progress"] > embedder["since"]
    assert failing(stack) == {}


def test_a_redis_that_hangs_is_named_and_searches_go_on(stack: Any) -> None:
    with hung(stack.child("redis-server")):
        named = until(lambda: failing(stack), "Redis is named")
        assert set(named) == {"redis"}
        assert "Start Redis" in named["redis"]
        assert status(stack) == 200
        assert search(stack).json()["hits"]
        refused = stack.api.get("/v1/jobs")
        assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
        assert "dependency_failing" in stack.log.read_text()
        assert "dependency=redis" in stack.log.read_text()
    until(lambda: not failing(stack), "all is well again")
    assert stack.api.get("/v1/jobs").status_code == 200


def test_an_index_that_hangs_is_named_and_searches_are_refused(stack: Any) -> None:
    with hung(stack.child(INDEX)):
        named = until(lambda: failing(stack), "the index is named")
        assert set(named) == {"index"}
        assert status(stack) == 503
        refused = search(stack)
        assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
        assert refused.headers["retry-after"]
        assert stack.api.get("/v1/jobs").status_code == 200
        assert "dependency=index" in stack.log.read_text()
    until(lambda: not failing(stack), "all is well again")
    assert search(stack).json()["hits"]


def running_anew(stack: Any, child: str, killed: psutil.Process) -> bool:
    # What is just being started is not among the children yet, or no process any more.
    with suppress(AssertionError, psutil.NoSuchProcess):
        pid: int = stack.child(child).pid
        return pid != killed.pid
    return False


@pytest.mark.parametrize(
    ("child", "photo"),
    [("redis-server", "coffee.png"), (INDEX, "rocket.jpg"), ("sightline_embedder", "moon.png")],
)
def test_what_is_killed_comes_back_without_a_restart_of_the_others(
    stack: Any, photo_folder: Path, child: str, photo: str
) -> None:
    gateway, killed = stack.child("sightline_api").pid, stack.child(child)
    killed.kill()
    psutil.wait_procs([killed], timeout=30)

    until(lambda: running_anew(stack, child, killed), f"{child} runs again")
    until(lambda: status(stack) == 200 and not failing(stack), "all is well again")

    assert search(stack).json()["hits"]
    assert upload(stack, photo_folder / photo)["counts"]["indexed"] == 1
    assert stack.child("sightline_api").pid == gateway
