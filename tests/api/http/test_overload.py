from threading import Event

import anyio
import pytest

from sightline_api.http.overload import BoundedThreads
from sightline_api.http.problems import ApiError


def test_calls_beyond_the_bound_are_refused_at_once_and_the_others_done() -> None:
    let_through = Event()
    started: list[int] = []
    done: list[int] = []

    def call(number: int) -> int:
        started.append(number)
        assert let_through.wait(10)
        return number

    async def main() -> None:
        threads = BoundedThreads(threads=2, waiting=1)

        async def ask(number: int) -> None:
            done.append(await threads.run(lambda: call(number)))

        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(ask, number)
            while len(started) < 2:
                await anyio.sleep(0)
            with pytest.raises(ApiError, match="3 requests") as refusal:
                await threads.run(lambda: call(9))
            assert (refusal.value.status, refusal.value.code) == (429, "overloaded")
            assert len(started) == 2
            let_through.set()
        assert await threads.run(lambda: call(4)) == 4

    anyio.run(main)

    assert sorted(done) == [0, 1, 2]


def test_a_call_that_fails_gives_its_place_back() -> None:
    def fail() -> None:
        raise ValueError("no")

    async def main() -> None:
        threads = BoundedThreads(threads=1, waiting=0)
        for _ in range(3):
            with pytest.raises(ValueError, match="no"):
                await threads.run(fail)

    anyio.run(main)


def test_a_caller_who_gives_up_while_waiting_gives_its_place_back() -> None:
    let_through = Event()

    async def main() -> None:
        threads = BoundedThreads(threads=1, waiting=1)
        async with anyio.create_task_group() as group:
            group.start_soon(threads.run, lambda: let_through.wait(10))
            await anyio.sleep(0)
            with anyio.move_on_after(0.01) as gave_up:
                await threads.run(lambda: None)
            assert gave_up.cancelled_caught
            group.start_soon(threads.run, lambda: None)
            await anyio.sleep(0)
            let_through.set()

    anyio.run(main)
