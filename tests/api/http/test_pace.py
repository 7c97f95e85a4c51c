"""How long a client may be silent: a burst earns no more than the grace."""

import pytest

from sightline_api.http import pace
from sightline_api.http.pace import Pace, Stopwatch


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock: what is in the list is the time."""
    now = [1000.0]
    monkeypatch.setattr(pace, "monotonic", lambda: now[0])
    return now


def test_who_keeps_the_pace_may_go_on_for_ever(at: list[float]) -> None:
    watch = Stopwatch(Pace(grace_s=20, bytes_per_s=100))
    for second in range(1, 500):
        at[0] += 1
        assert watch.seconds_left(second * 100) == pytest.approx(20)


def test_who_is_slower_uses_up_the_grace(at: list[float]) -> None:
    watch = Stopwatch(Pace(grace_s=20, bytes_per_s=100))
    at[0] += 30
    assert watch.seconds_left(1000) == 0.0
    at[0] += 5
    assert watch.seconds_left(1000) == 0.0


def test_a_burst_earns_no_more_than_the_grace(at: list[float]) -> None:
    watch = Stopwatch(Pace(grace_s=20, bytes_per_s=100))
    at[0] += 1
    assert watch.seconds_left(1_000_000) == pytest.approx(20)
    at[0] += 21
    assert watch.seconds_left(1_000_001) == 0.0
