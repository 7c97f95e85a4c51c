from threading import Event

import anyio
import pytest

from sightline.settings import Settings
from sightline_api.http.overload import Bound, Bounds, Work
from sightline_api.http.problems import ApiError

LONG_S = 60.0


def bound(places: int, waiting: int, wait_s: float = LONG_S) -> Bound:
    return Bound("searches", places=places, waiting=waiting, wait_s=wait_s)


def test_beyond_the_bound_is_refused_at_once_and_the_others_are_served_in_turn() -> None:
    served: list[int] = []

    async def main() -> None:
        searches, go_on = bound(places=2, waiting=2), anyio.Event()

        async def ask(number: int) -> None:
            async with searches.place():
                served.append(number)
                await go_on.wait()

        async with anyio.create_task_group() as group:
            for number in range(4):
                group.start_soon(ask, number)
                await anyio.wait_all_tasks_blocked()
            with pytest.raises(ApiError, match="4 searches") as refusal:
                async with searches.place():
                    pass
            assert (refusal.value.status, refusal.value.code) == (429, "overloaded")
            assert served == [0, 1]
            go_on.set()
        assert served == [0, 1, 2, 3]
        async with searches.place() as waited:
            assert not waited

    anyio.run(main)


def test_a_wait_has_an_end_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        searches = bound(places=1, waiting=1, wait_s=0.01)
        async with searches.place():
            for _ in range(3):
                with pytest.raises(ApiError, match=r"waited 0\.01 s") as refusal:
                    async with searches.place():
                        pass
                assert refusal.value.code == "overloaded"
        async with searches.place() as waited:
            assert not waited

    anyio.run(main)


def test_whoever_fails_or_gives_up_gives_its_place_back() -> None:
    async def main() -> None:
        searches = bound(places=1, waiting=1)
        for _ in range(3):
            with pytest.raises(ValueError, match="no"):
                async with searches.place():
                    raise ValueError("no")
        async with searches.place():
            with anyio.move_on_after(0.01) as gave_up:
                async with searches.place():
                    raise AssertionError("there was no place")
            assert gave_up.cancelled_caught
        async with searches.place() as waited:
            assert not waited

    anyio.run(main)


def test_one_kind_of_work_leaves_the_threads_of_another_alone() -> None:
    settings = Settings(search_concurrency=3, read_concurrency=2, waiting_per_place=0)
    let_through = Event()

    async def main() -> None:
        bounds = Bounds.of(settings)
        bounds.size_threads()
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(bounds.run, Work.SEARCH, lambda: let_through.wait(LONG_S))
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(ApiError, match="3 searches"):
                await bounds.run(Work.SEARCH, lambda: None)
            assert await bounds.run(Work.INDEX, lambda: "read") == "read"
            let_through.set()

    anyio.run(main)
