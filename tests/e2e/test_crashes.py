"""Kill -9 of anything in the middle of a job: it ends by itself, with every picture exactly once."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

WITHIN_S = 120


def await_some_indexed(stack: Any, job_id: str, at_least: int) -> None:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        counts = stack.api.get(f"/v1/jobs/{job_id}").json()["counts"]
        if counts["indexed"] >= at_least:
            assert counts["indexed"] < 500, "the job was over before anything could be killed"
            return
        time.sleep(0.02)
    raise AssertionError("nothing was indexed")


def assert_all_there(stack: Any, job: Any) -> None:
    assert job["state"] == "succeeded", job
    assert job["counts"]["indexed"] == job["counts"]["total"] == 500
    (collection,) = stack.api.get("/v1/stats").json()["collections"]
    assert collection["points"] == 500


def assert_gone(processes: Sequence[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive, [process.cmdline() for process in alive]


# The short chaos kills each of them, too.
@pytest.mark.long
@pytest.mark.parametrize(
    "child", ["sightline_embedder", "sightline.index.edge.process", "sightline_api", "redis-server"]
)
def test_a_killed_child_is_replaced_and_the_job_ends(
    run_tiny_stack: Any, tmp_path: Path, many_pictures: Path, child: str
) -> None:
    with run_tiny_stack(tmp_path / "data", many_pictures) as stack:
        job_id = stack.ingest(many_pictures)
        await_some_indexed(stack, job_id, at_least=32)
        below = stack.child(child).children(recursive=True)
        stack.child(child).send_signal(signal.SIGKILL)

        job = stack.ended_job(job_id, WITHIN_S)

        assert_all_there(stack, job)
        assert_gone(below)
        family = stack.family()
    assert_gone(family)


def test_a_killed_stack_goes_on_where_it_was(
    run_tiny_stack: Any, tmp_path: Path, many_pictures: Path
) -> None:
    with run_tiny_stack(tmp_path / "data", many_pictures) as stack:
        job_id = stack.ingest(many_pictures)
        await_some_indexed(stack, job_id, at_least=32)
        family = stack.family()
        os.kill(stack.process.pid, signal.SIGKILL)
        stack.process.wait()

    with run_tiny_stack(tmp_path / "data", many_pictures) as stack:
        job = stack.ended_job(job_id, WITHIN_S)

        assert_all_there(stack, job)
        assert_gone(family)
        family = stack.family()
    assert_gone(family)
