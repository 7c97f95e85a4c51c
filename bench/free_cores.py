"""How many cores a machine has to spare just now: what others use of it is no part of a simulation."""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Self


class FreeCores:
    """Processes that count how much processor time they are given when all of them want all of it."""

    def __init__(self) -> None:
        self._cores = os.cpu_count() or 1
        self._pool = ProcessPoolExecutor(self._cores, get_context("spawn"))

    def __enter__(self) -> Self:
        self.count(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def count(self, seconds: float) -> float:
        """Cores that these processes were given, on average over so many seconds."""
        return sum(self._pool.map(_share_of_a_core, [seconds] * self._cores))


def _share_of_a_core(seconds: float) -> float:
    started, used = time.perf_counter(), time.process_time()
    while (took := time.perf_counter() - started) < seconds:
        pass
    return (time.process_time() - used) / took
