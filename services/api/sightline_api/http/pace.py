"""How slowly a client may send: a moment's grace, and then so many bytes a second on average."""

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
        self._started = monotonic()

    def seconds_left(self, received: int) -> float:
        """How long the next bytes may take to come after `received` of them; 0 when they are late."""
        allowed_s = self._pace.grace_s + received / self._pace.bytes_per_s
        return max(0.0, self._started + allowed_s - monotonic())
