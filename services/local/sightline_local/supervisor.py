"""Starts children in order, starts again those that die, stops them in reverse. Leaves no orphan."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

import structlog

from sightline.process import start_child
from sightline_local.errors import StartError
from sightline_local.redis_child import RedisChild

_log = structlog.get_logger(__name__)

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
WATCH_EVERY_S = 0.2
QUICK_DEATH_S = 10.0
"""A child that dies sooner after its start counts as one that cannot start."""
MAX_QUICK_DEATHS = 5


@dataclass
class Child:
    """A process to keep running. `ready` says whether it can be used; `niceness` is that of nice(1)."""

    name: str
    module: str
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    arguments: Sequence[str] = ()
    niceness: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    quick_deaths: int = field(default=0)


class Supervisor:
    """The embedded stack's processes: Redis first, then `children` in their order."""

    def __init__(self, redis: RedisChild, children: Sequence[Child]) -> None:
        self._redis = redis
        self._children = children
        # Children hold the reading end: it closes when this process dies, however it dies.
        self._pipe, self._pipe_held = os.pipe()
        self.stopping = Event()

    def start(self) -> None:
        """Start everything and wait until it is ready; raises StartError naming what is not."""
        self._redis.ensure(self.stopping)
        if self.stopping.is_set():
            return
        for child in self._children:
            self._spawn(child)
        for child in self._children:
            self._await_ready(child)

    def watch(self) -> None:
        """Start again whatever dies, until `stopping` is set; raises StartError if that is no use."""
        while not self.stopping.wait(WATCH_EVERY_S):
            if not self._redis.alive():
                _log.warning("child_died", child="redis")
                self._redis.ensure(self.stopping)
            for child in self._children:
                self._restart_if_dead(child)

    def stop(self) -> None:
        """Stop the children in reverse order, then Redis."""
        self.stopping.set()
        for child in reversed(self._children):
            _stop(child)
        self._redis.stop()
        for descriptor in (self._pipe, self._pipe_held):
            os.close(descriptor)

    def _spawn(self, child: Child) -> None:
        command = [sys.executable, "-m", child.module, *child.arguments]
        child.process = start_child(command, {**os.environ, **child.environment}, self._pipe)
        niceness = max(child.niceness, os.getpriority(os.PRIO_PROCESS, 0))
        os.setpriority(os.PRIO_PROCESS, child.process.pid, niceness)
        child.started_at = time.monotonic()

    def _await_ready(self, child: Child) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not child.ready():
            self._restart_if_dead(child)
            if self.stopping.wait(WATCH_EVERY_S / 4):
                return
            if time.monotonic() > deadline:
                raise StartError(
                    f"The {child.name} was not ready within {READY_TIMEOUT_S:.0f} s; see its log."
                )

    def _restart_if_dead(self, child: Child) -> None:
        assert child.process is not None
        code = child.process.poll()
        if code is None:
            return
        if code == 2:
            raise StartError(f"The {child.name} cannot start; it said why above.")
        quick = time.monotonic() - child.started_at < QUICK_DEATH_S
        child.quick_deaths = child.quick_deaths + 1 if quick else 0
        if child.quick_deaths >= MAX_QUICK_DEATHS:
            raise StartError(
                f"The {child.name} ended {MAX_QUICK_DEATHS} times right after its start; see its log."
            )
        _log.warning("child_died", child=child.name, exit_status=code)
        self._spawn(child)


def _stop(child: Child) -> None:
    if child.process is None or child.process.poll() is not None:
        return
    child.process.terminate()
    try:
        child.process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        _log.warning("child_killed", child=child.name)
        child.process.kill()
        child.process.wait()
