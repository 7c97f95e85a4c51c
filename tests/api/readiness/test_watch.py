"""How checks are run: none holds up the others, and the log tells each change once."""

from collections.abc import Callable
from threading import Event

import anyio
import pytest
from structlog.testing import capture_logs

from sightline.errors import Unavailable
from sightline_api.readiness.check import Check, NotWell, Stops
from sightline_api.readiness.watch import ReadinessWatch


def check(name: str, call: Callable[[], object], **more: object) -> Check:
    return Check(name, Stops.INGEST, call, "Do something.", **more)  # type: ignore[arg-type]


async def faults(watch: ReadinessWatch) -> dict[str, str | None]:
    return {one.check.name: one.fault for one in await watch.look()}


def test_a_fault_is_logged_when_it_begins_and_when_it_ends() -> None:
    broken = Event()

    def call() -> None:
        if broken.is_set():
            raise Unavailable("The thing", "it is broken.")

    async def main() -> None:
        watch = ReadinessWatch([check("thing", call)])
        for state in (False, True, True, False, False):
            broken.set() if state else broken.clear()
            found = await faults(watch)
            assert found == {"thing": "The thing does not answer: it is broken." if state else None}
        watch.close()

    with capture_logs() as logs:
        anyio.run(main)
    assert [one["event"] for one in logs] == ["dependency_failing", "dependency_recovered"]
    assert logs[0]["dependency"] == "thing"
    assert logs[0]["detail"] == "The thing does not answer: it is broken."
    assert logs[0]["remedy"] == "Do something."


def test_what_nobody_expected_is_told_in_the_log_alone() -> None:
    """It may have been said by Qdrant, with the name of any collection."""
    unexpected = ValueError("Wrong input: Collection `secret-plans.1`")

    def fail() -> None:
        raise unexpected

    async def main() -> None:
        watch = ReadinessWatch([check("thing", fail)])
        assert await faults(watch) == {"thing": "Its check failed with ValueError; the log says how."}
        watch.close()

    with capture_logs() as logs:
        anyio.run(main)
    [line] = [one for one in logs if one["event"] == "readiness_check_failed"]
    assert (line["dependency"], line["exc_info"]) == ("thing", unexpected)


def test_what_hangs_is_named_and_holds_up_nothing_else() -> None:
    go_on = Event()
    calls: list[int] = []

    def hang() -> None:
        calls.append(1)
        assert go_on.wait(60)

    async def main() -> None:
        watch = ReadinessWatch(
            [check("hung", hang), check("slow", hang, slow=True), check("well", lambda: None)], answer_s=1.0
        )
        for _ in range(2):
            found = await faults(watch)
            assert found["well"] is None
            assert found["slow"] is None
            assert "had no answer" in (found["hung"] or "")
        assert len(calls) == 2
        go_on.set()
        watch.close()

    anyio.run(main)


def test_no_answer_waits_for_what_an_earlier_look_began() -> None:
    """A proxy that waits for less takes out every gateway while one service hangs, or a model is loaded."""
    go_on = Event()
    slow_calls: list[int] = []

    def hang() -> None:
        assert go_on.wait(60)

    def fail_and_hang() -> None:
        slow_calls.append(1)
        if len(slow_calls) == 1:
            raise NotWell("It is away.")
        hang()

    async def main() -> None:
        watch = ReadinessWatch([check("hung", hang), check("slow", fail_and_hang, slow=True)], answer_s=1.0)
        for _ in range(2):
            await watch.look()
        asked_at = anyio.current_time()
        found = await faults(watch)
        assert anyio.current_time() - asked_at < 1.0
        assert len(slow_calls) == 2
        assert found["slow"] == "It is away."
        assert "had no answer" in (found["hung"] or "")
        go_on.set()
        watch.close()

    anyio.run(main)


def test_what_is_asked_by_way_of_another_is_left_out_while_that_one_fails() -> None:
    def fail() -> None:
        raise NotWell("It is away.")

    async def main() -> None:
        watch = ReadinessWatch([check("redis", fail), check("queue", fail, by_way_of="redis")])
        assert await faults(watch) == {"redis": "It is away."}
        watch.close()

    with capture_logs() as logs:
        anyio.run(main)
    assert [one["dependency"] for one in logs] == ["redis"]


def test_a_service_that_stops_to_answer_between_two_checks_is_named_itself() -> None:
    """Its own check had passed when it hung, or ended, and one that asks it found out."""
    go_on = Event()

    def hang() -> None:
        assert go_on.wait(60)

    def find_it_gone() -> None:
        raise Unavailable("Redis", "connection refused.")

    async def main() -> None:
        checks = [check("index", lambda: None), check("collection", hang, by_way_of="index")]
        checks += [check("redis", lambda: None), check("queue", find_it_gone, by_way_of="redis")]
        watch = ReadinessWatch([*checks, check("clock", lambda: None, by_way_of="redis")], answer_s=1.0)
        assert await faults(watch) == {
            "index": "The check of 'collection' had no answer within 1 s.",
            "redis": "Redis does not answer: connection refused.",
        }
        go_on.set()
        watch.close()

    with capture_logs() as logs:
        anyio.run(main)
    assert [one["dependency"] for one in logs] == ["index", "redis"]


def test_what_is_asked_and_answers_badly_is_named_itself() -> None:
    def fail() -> None:
        raise NotWell("It is of another model.")

    async def main() -> None:
        watch = ReadinessWatch([check("index", lambda: None), check("collection", fail, by_way_of="index")])
        assert await faults(watch) == {"index": None, "collection": "It is of another model."}
        watch.close()

    anyio.run(main)


@pytest.mark.parametrize("askers", [50])
def test_those_who_ask_meanwhile_share_one_look(askers: int) -> None:
    go_on = Event()
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        assert go_on.wait(60)

    async def main() -> None:
        watch = ReadinessWatch([check("thing", look)], answer_s=60)
        async with anyio.create_task_group() as group:
            for _ in range(askers):
                group.start_soon(watch.look)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(watch.look)
            await anyio.wait_all_tasks_blocked()
            go_on.set()
        assert len(looks) == 2
        watch.close()

    anyio.run(main)
