"""Leases on a real Redis: one holder at a time, whatever becomes of the others."""

import time
from collections.abc import Callable
from threading import Event

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

from sightline.errors import Unavailable
from sightline.queue.planning import PlanningLeases

JOB = "job"
LONG_S = 30.0
SHORT_S = 1.5
WITHIN_S = 20.0


@pytest.fixture
def leases(redis: Redis) -> PlanningLeases:
    return PlanningLeases(redis, LONG_S)


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_job_has_one_holder_and_another_job_has_its_own(leases: PlanningLeases) -> None:
    with leases.held(JOB) as first, leases.held(JOB) as second, leases.held("other") as other:
        assert (first, second, other) == (True, False, True)
    with leases.held(JOB) as again:
        assert again


def test_whoever_is_refused_is_remembered_once(leases: PlanningLeases) -> None:
    with leases.held(JOB):
        assert not leases.was_asked_for(JOB)
        for _ in range(3):
            with leases.held(JOB) as refused:
                assert not refused
    assert leases.was_asked_for(JOB)
    assert not leases.was_asked_for(JOB)


def test_what_is_let_go_of_while_somebody_asks_is_theirs(leases: PlanningLeases, redis: Redis) -> None:
    """The holder lets go, and looks whether it was asked for, between the refusal and its note."""
    holding = leases.held(JOB)
    assert holding.__enter__()

    class LetGo(Redis):
        def set(self, name: str, *arguments: object, **options: object) -> object:  # type: ignore[override]
            if name.endswith(":asked"):
                holding.__exit__(None, None, None)
                assert not leases.was_asked_for(JOB)
            return super().set(name, *arguments, **options)  # type: ignore[arg-type]

    asking = LetGo(connection_pool=redis.connection_pool)
    with PlanningLeases(asking, LONG_S).held(JOB) as is_ours:
        assert is_ours


def test_a_lease_is_renewed_for_as_long_as_it_is_held(redis: Redis) -> None:
    leases = PlanningLeases(redis, SHORT_S)
    with leases.held(JOB) as first:
        assert first
        end = time.monotonic() + 3 * SHORT_S
        until(lambda: time.monotonic() > end)
        with leases.held(JOB) as second:
            assert not second


def test_the_lease_of_one_who_died_runs_out(redis: Redis) -> None:
    dead = redis.lock(f"sightline:planning:{JOB}", SHORT_S)
    assert dead.acquire(blocking=False)
    leases = PlanningLeases(redis, LONG_S)

    def is_free() -> bool:
        with leases.held(JOB) as is_ours:
            return is_ours

    assert not is_free()
    until(is_free)


def test_the_leases_of_the_dead_can_be_broken(leases: PlanningLeases, redis: Redis) -> None:
    assert redis.lock(f"sightline:planning:{JOB}", LONG_S).acquire(blocking=False)
    leases.break_all([])
    leases.break_all([JOB, "other"])
    with leases.held(JOB) as is_ours:
        assert is_ours


def test_one_who_lost_the_lease_takes_nothing_from_the_next(leases: PlanningLeases) -> None:
    with leases.held(JOB):
        leases.break_all([JOB])
        next_one = leases.held(JOB)
        assert next_one.__enter__()
    with leases.held(JOB) as third:
        assert not third
    next_one.__exit__(None, None, None)


class Flaky(Redis):
    """A Redis that is away when a lease is to be renewed for the first time."""

    was_away: Event
    is_back: Event

    def execute_command(self, *arguments: object, **options: object) -> object:
        if arguments[0] == "EVALSHA" and not self.was_away.is_set():
            super().delete(f"sightline:planning:{JOB}")
            self.was_away.set()
            raise NoConnection("away")
        if arguments[0] == "SET" and self.was_away.is_set():
            self.is_back.set()
        return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]


def test_a_lease_that_ran_out_while_redis_was_away_is_taken_again(redis: Redis) -> None:
    flaky = Flaky(connection_pool=redis.connection_pool)
    flaky.was_away, flaky.is_back = Event(), Event()
    with PlanningLeases(flaky, SHORT_S).held(JOB):
        assert flaky.is_back.wait(WITHIN_S)
        until(lambda: bool(redis.exists(f"sightline:planning:{JOB}")))
    assert not redis.exists(f"sightline:planning:{JOB}")


def test_without_redis_nobody_plans() -> None:
    nowhere = PlanningLeases(Redis(port=1), LONG_S)
    with pytest.raises(Unavailable), nowhere.held(JOB):
        pass
    with pytest.raises(Unavailable):
        nowhere.was_asked_for(JOB)
