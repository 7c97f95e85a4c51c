"""How slowly a client may send: so many bytes a second, and a moment's grace on top.

A leaky bucket: what came quicker earns no pause longer than the grace, or who sends much at once could keep a
place for an hour in silence.
"""

from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True)
class Pace:
    """The slowest pace at which a body may come in."""

    grace_s: float
    bytes_per_s: float


class Stopwatch:
    """Measures one body against a pace; it runs from its making."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._received = 0
        self._until = monotonic() + pace.grace_s

    def seconds_left(self, received: int) -> float:
        """How long the next bytes may take to come after `received` of them; 0 when they are late."""
        now = monotonic()
        earned_s = (received - self._received) / self._pace.bytes_per_s
        self._received = received
        self._until = min(self._until + earned_s, now + self._pace.grace_s)
        return max(0.0, self._until - now)
