"""Processor cores that are shared, for simulations: every thread that computes gets a fair share of them."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import simpy

Steps = Generator[simpy.Event, Any, None]
"""What a process of the simulation is, and what one waits for with `yield from`."""

_DONE_S = 1e-9


@dataclass(frozen=True)
class Stage:
    """What one piece of work costs.

    `cpu_s` core-seconds, spread over at most `width` cores, and `wait_s` seconds in which nothing is
    computed: a wake-up, a disk.
    """

    cpu_s: float
    width: float = 1.0
    wait_s: float = 0.0

    def between(self, other: "Stage") -> "Stage":
        """Half of this and half of another."""
        return Stage(
            (self.cpu_s + other.cpu_s) / 2, (self.width + other.width) / 2, (self.wait_s + other.wait_s) / 2
        )

    def times(self, factor: float) -> "Stage":
        """The same, so many times as much of it."""
        return Stage(self.cpu_s * factor, self.width, self.wait_s * factor)


@dataclass(eq=False)
class _Job:
    left_s: float
    width: float
    done: simpy.Event
    rate: float = 0.0


class Cores:
    """Processor sharing: each job has as many threads as it is wide, and each thread has a core for as much
    of the time as all others, as the scheduler of an operating system does it.

    The threads of one job wait for each other after every layer of the model, so that it gets on only while
    all of them have a core: at a share s of the time each, that is s to the power of their number. With jobs
    one core wide it is the M/M/c queue under processor sharing, whose means are those of first come, first
    served (Kleinrock, "Queueing Systems", volume 2, 1976, chapter 4).
    """

    def __init__(self, env: simpy.Environment, cores: float) -> None:
        """`cores` may be a fraction: what others leave of a machine."""
        self._env = env
        self._cores = cores
        self._jobs: list[_Job] = []
        self._since = env.now
        self._turn = 0

    def run(self, stage: Stage) -> Steps:
        """Wait for the stage's wait, and until its work is done."""
        if stage.wait_s > 0:
            yield self._env.timeout(stage.wait_s)
        if stage.cpu_s > 0:
            job = _Job(stage.cpu_s, min(stage.width, self._cores), self._env.event())
            self._pass_time()
            self._jobs.append(job)
            self._share()
            yield job.done

    def _pass_time(self) -> None:
        passed = self._env.now - self._since
        self._since = self._env.now
        for job in self._jobs:
            job.left_s -= passed * job.rate

    def _share(self) -> None:
        threads = sum(job.width for job in self._jobs)
        for job in self._jobs:
            share = min(1.0, self._cores / threads)
            job.rate = job.width * share ** max(1.0, job.width)
        self._turn += 1
        if self._jobs:
            next_s = max(0.0, min(job.left_s / job.rate for job in self._jobs))
            callbacks = self._env.timeout(next_s).callbacks
            assert callbacks is not None
            callbacks.append(partial(self._end, self._turn))

    def _end(self, turn: int, _: simpy.Event) -> None:
        if turn != self._turn:  # Somebody came or went meanwhile, and shares are others.
            return
        self._pass_time()
        ended = [job for job in self._jobs if job.left_s <= _DONE_S]
        self._jobs = [job for job in self._jobs if job.left_s > _DONE_S]
        self._share()
        for job in ended:
            job.done.succeed()
