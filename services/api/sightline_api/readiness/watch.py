"""Runs the checks, when asked and all the time, and says in the log what begins to fail and what recovers."""

from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.to_thread
import structlog

from sightline.errors import SightlineError, Unavailable
from sightline_api.readiness.check import Check, Finding, NotWell

LOOK_EVERY_S = 10.0
ANSWER_S = 3.0
"""A check that takes longer has failed."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Fault:
    """Why a check failed; `unanswered`: the service that it asks gave no answer."""

    detail: str
    unanswered: bool = False


class ReadinessWatch:
    """Looks at the dependencies of a gateway. For one event loop."""

    def __init__(self, checks: Sequence[Check], answer_s: float = ANSWER_S) -> None:
        self._checks = checks
        self._answer_s = answer_s
        self._pool = ThreadPoolExecutor(len(checks), thread_name_prefix="readiness")
        self._running: dict[str, Future[_Fault | None]] = {}
        self._ended: dict[str, _Fault | None] = {}
        self._failing: dict[str, str] = {}
        self._findings: Sequence[Finding] = ()
        self._begun = 0
        self._turn = anyio.Lock()

    async def look(self) -> Sequence[Finding]:
        """What the checks find now; who asks while others wait for a look shares theirs."""
        asked_at = self._begun
        async with self._turn:
            if self._begun == asked_at:
                self._begun += 1
                self._findings = await anyio.to_thread.run_sync(self._look, abandon_on_cancel=True)
            return self._findings

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled, so that the log says what fails though nobody asks."""
        while True:
            await anyio.sleep(LOOK_EVERY_S)
            await self.look()

    def close(self) -> None:
        """Begin no more checks."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> Sequence[Finding]:
        begun = {
            check.name: self._pool.submit(_fault, check)
            for check in self._checks
            if check.name not in self._running
        }
        self._running |= begun
        # What is under way since an earlier look has had its time; proxies would give up the answer.
        wait(begun.values(), self._answer_s)
        findings = _findings(self._checks, {check.name: self._outcome(check) for check in self._checks})
        self._say(findings)
        return findings

    def _outcome(self, check: Check) -> _Fault | None:
        running = self._running[check.name]
        if not running.done():
            late = f"The check of '{check.name}' had no answer within {self._answer_s:g} s."
            return self._ended.get(check.name) if check.slow else _Fault(late, unanswered=True)
        del self._running[check.name]
        self._ended[check.name] = running.result()
        return self._ended[check.name]

    def _say(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            name = finding.check.name
            if finding.fault is not None and name not in self._failing:
                _log.warning(
                    "dependency_failing",
                    dependency=name,
                    stops=finding.check.stops.value,
                    detail=finding.fault,
                    remedy=finding.check.remedy,
                )
                self._failing[name] = finding.fault
            elif finding.fault is None and self._failing.pop(name, None) is not None:
                _log.info("dependency_recovered", dependency=name)


@asynccontextmanager
async def readiness_watched(checks: Sequence[Check]) -> AsyncIterator[ReadinessWatch]:
    """A watch that looks by itself meanwhile."""
    watch = ReadinessWatch(checks)
    async with anyio.create_task_group() as group:
        group.start_soon(watch.keep_looking)
        try:
            yield watch
        finally:
            group.cancel_scope.cancel()
            watch.close()


def _fault(check: Check) -> _Fault | None:
    try:
        check.call()
    except (NotWell, SightlineError) as error:
        return _Fault(str(error), isinstance(error, Unavailable))
    except Exception as error:  # a defect of a check must not hide what the others find
        _log.error("readiness_check_failed", dependency=check.name, exc_info=error)
        # Its words may be those of Qdrant, which name collections to whoever reaches the port.
        return _Fault(f"Its check failed with {type(error).__name__}; the log says how.")
    return None


def _findings(checks: Sequence[Check], faults: Mapping[str, _Fault | None]) -> Sequence[Finding]:
    """What the outcomes say of each dependency; nothing of one that is asked by way of one which fails.

    A service can stop to answer between its own check and one that asks it: the service fails then.
    """
    services = dict(faults)
    for check in checks:
        fault = faults[check.name]
        if check.by_way_of is not None and fault is not None and fault.unanswered:
            services[check.by_way_of] = faults[check.by_way_of] or fault
    return [
        Finding(check, fault.detail if fault else None)
        for check, fault in ((check, services[check.name]) for check in checks)
        if check.by_way_of is None or services[check.by_way_of] is None
    ]
