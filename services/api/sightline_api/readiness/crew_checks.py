"""Whether anybody takes pictures in: embedders, their messages, and the clocks that messages go by."""

import time
from collections.abc import Callable
from datetime import datetime

from sightline.queue.embedders import Crew, Embedders
from sightline.queue.ledger import Ledger
from sightline_api.readiness.check import NotWell

STARTING_S = 30.0
"""Embedders need some time to load their model; nobody is missed before."""
STALLED_S = 300.0
"""Messages that wait while nothing goes on for so long."""
CLOCK_S = 5.0
"""Clocks that differ by more than this are named."""
_MINUTE_S = 60
_JOB_TIME_DIGITS = 12


class CrewChecks:
    """Checks of the embedders. `clock` gives the time of this machine (Unix time, s)."""

    def __init__(self, embedders: Embedders, ledger: Ledger, clock: Callable[[], float] = time.time) -> None:
        self._embedders = embedders
        self._ledger = ledger
        self._clock = clock
        self._started = time.monotonic()

    def someone_is_there(self) -> None:
        """Raise NotWell if no embedder is alive."""
        if not self._embedders.crew().embedders and time.monotonic() - self._started > STARTING_S:
            raise NotWell("No embedder is alive.")

    def queue_moves(self) -> None:
        """Raise NotWell if an embedder cannot encode, or messages wait and nothing has gone on for long."""
        crew = self._embedders.crew()
        for one in crew.embedders:
            if one.sign.fault is not None:
                raise NotWell(f"The embedder on {one.sign.host} takes nothing in: {one.sign.fault}")
        idle_s = _idle_s(crew, self._ledger) if crew.waiting else 0.0
        if idle_s > STALLED_S:
            raise NotWell(
                f"{crew.waiting} messages wait, and nothing went on for {idle_s / _MINUTE_S:.0f} minutes."
            )

    def clocks_agree(self) -> None:
        """Raise NotWell if the clock of this machine, or of an embedder's, differs from that of Redis."""
        ahead_s = self._embedders.clock_ahead_s(self._clock())
        if abs(ahead_s) > CLOCK_S:
            raise NotWell(f"The clock of this machine is {_off_by(ahead_s)} that of Redis.")
        for one in self._embedders.crew().embedders:
            if abs(one.clock_ahead_s) > CLOCK_S:
                raise NotWell(
                    f"The clock of the embedder on {one.sign.host} is {_off_by(one.clock_ahead_s)} that of "
                    f"Redis."
                )


def _idle_s(crew: Crew, ledger: Ledger) -> float:
    """Since something went on, or if nothing has since the oldest job was made."""
    progress = [
        one.sign.last_progress.timestamp() - one.clock_ahead_s
        for one in crew.embedders
        if one.sign.last_progress
    ]
    made = [_made_at(job_id).timestamp() for job_id in ledger.active()[:1]]
    since = [*progress, *made]
    return crew.at.timestamp() - max(since) if since else 0.0


def _made_at(job_id: str) -> datetime:
    """When a job was made, which its id begins with."""
    return datetime.fromtimestamp(int(job_id[:_JOB_TIME_DIGITS], 16) / 1000).astimezone()


def _off_by(ahead_s: float) -> str:
    return f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'}"
