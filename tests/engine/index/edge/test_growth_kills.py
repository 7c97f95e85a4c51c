"""Building HNSW survives kill -9 of each of its processes, at each of its steps and at any moment."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import psutil
import pytest
from growing_index import (
    POINTS,
    MakePoint,
    check_folders,
    check_indexed,
    children,
    filled,
    folders,
    found_first,
    kill,
    settled,
    writing,
)


def copying(process: Any, child: Any) -> None:
    assert len(folders(process)) == 2


def optimizing(process: Any, child: Any) -> None:
    assert children(child, "shard_build")


def switching(process: Any, child: Any) -> None:
    assert children(child, "shard_process")


@pytest.mark.parametrize(
    ("moment", "victim"),
    [
        pytest.param(copying, "server", marks=pytest.mark.long),
        pytest.param(optimizing, "server", marks=pytest.mark.long),
        (optimizing, "shard_build"),
        (switching, "server"),
        pytest.param(switching, "shard_process", marks=pytest.mark.long),
    ],
)
def test_kill_9_loses_nothing(
    process: Any, make_point: MakePoint, moment: Callable[[Any, Any], None], victim: str
) -> None:
    child = process.start()
    client = filled(process, make_point)
    with writing(client, make_point, POINTS) as written:
        client.optimize("images")
        settled(lambda: moment(process, child), every_s=0.001)
        if victim == "server":
            child.kill()
            child.wait()
            child = process.start()
        else:
            settled(lambda: kill(child, victim))
        # What was asked of a process that was killed must be asked again.
        settled(lambda: check_indexed(client, POINTS), every_s=1.0)
    numbers = range(POINTS + len(written))
    assert client.count("images") == len(numbers)
    assert len(client.retrieve("images", [make_point(number).id for number in numbers])) == len(numbers)
    assert all(found_first(client, make_point(number)) for number in numbers[::100])
    settled(lambda: check_folders(process, 1))


@pytest.mark.long
@pytest.mark.skipif(
    os.environ.get("SIGHTLINE_TEST_LONG") != "1", reason="80 kills are for SIGHTLINE_TEST_LONG=1"
)
@pytest.mark.parametrize("seed", range(10))
def test_kill_9_at_any_moment_loses_nothing(process: Any, make_point: MakePoint, seed: int) -> None:
    random = Random(seed)
    child = process.start()
    client = filled(process, make_point)
    with writing(client, make_point, POINTS) as written:
        for _ in range(8):
            client.optimize("images")
            time.sleep(random.uniform(0.0, 3.0))
            victims = [one for one in psutil.Process(child.pid).children() if random.random() < 0.5]
            for victim in victims:
                with suppress(psutil.NoSuchProcess):
                    victim.kill()
            if random.random() < 0.5:
                child.kill()
                child.wait()
                child = process.start()
        settled(lambda: check_indexed(client, POINTS), every_s=1.0)
    numbers = range(POINTS + len(written))
    assert client.count("images") == len(numbers)
    assert len(client.retrieve("images", [make_point(number).id for number in numbers])) == len(numbers)
    settled(lambda: check_folders(process, 1))
