"""Stages that run alone, timed: processor time, and the seconds that passed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from bench.simulated_cores import Stage

LEAST_S = 1e-6
"""What takes no time that can be told from noise."""


@dataclass(frozen=True)
class Timed:
    """Calls of one kind: seconds that each took, and core-seconds of a call, on average: of this process
    and of others that work for it."""

    took_s: Sequence[float]
    own_cpu_s: float
    other_cpu_s: float

    @property
    def cpu_s(self) -> float:
        """Core-seconds of a call."""
        return self.own_cpu_s + self.other_cpu_s

    def waited_s(self, free_cores: float, width: float = 1.0) -> float:
        """What of the time is not explained by work on the free cores."""
        return max(0.0, median(self.took_s) - self.cpu_s / min(width, free_cores))

    def stage(self, free_cores: float, width: float = 1.0) -> Stage:
        """The cost of one call."""
        return Stage(self.cpu_s, width, self.waited_s(free_cores, width))

    def and_then(self, later: "Timed") -> "Timed":
        """These calls and those made later, as if at once."""
        calls, more = len(self.took_s), len(later.took_s)
        return Timed(
            [*self.took_s, *later.took_s],
            (calls * self.own_cpu_s + more * later.own_cpu_s) / (calls + more),
            (calls * self.other_cpu_s + more * later.other_cpu_s) / (calls + more),
        )

    def without(self, seconds: float) -> "Timed":
        """These calls, had each taken so much less; the processor time stays."""
        return replace(self, took_s=[max(LEAST_S, took_s - seconds) for took_s in self.took_s])

    def spread(self) -> Sequence[float]:
        """By which factors calls differed from the median."""
        middle = median(self.took_s)
        return [took_s / middle for took_s in self.took_s]


def timed(
    work: Callable[[], object],
    seconds: float,
    others_s: Callable[[], float] = lambda: 0.0,
    rest_s: float = 0.0,
) -> Timed:
    """Call for so long, after one call that is not counted, with rests between calls in which threads fall
    asleep; `others_s` tells the core-seconds that other processes have used until now."""
    work()
    took_s: list[float] = []
    own, others = time.process_time(), others_s()
    until = time.perf_counter() + seconds
    while not took_s or time.perf_counter() < until:
        time.sleep(rest_s)
        started = time.perf_counter()
        work()
        took_s.append(time.perf_counter() - started)
    calls = len(took_s)
    return Timed(took_s, (time.process_time() - own) / calls, (others_s() - others) / calls)
