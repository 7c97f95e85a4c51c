"""How many requests one host gets at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Semaphore

from sightline.errors import BadPicture, FailureReason
from sightline_embedder.fetching.limits import Deadline


@dataclass
class _Queue:
    turns: Semaphore
    users: int = 0


class HostTurns:
    """`per_host` turns for each host by name; hosts that nobody uses are forgotten."""

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host
        self._queues: dict[str, _Queue] = {}
        self._lock = Lock()

    @contextmanager
    def turn(self, host: str, deadline: Deadline) -> Iterator[None]:
        """Wait for a turn and hold it; the first turn of a fetch starts its time.

        Raises BadPicture (`fetch_timeout`) when the host is busy with other fetches for too long.
        """
        with self._lock:
            queue = self._queues.setdefault(host, _Queue(Semaphore(self._per_host)))
            queue.users += 1
        try:
            if not queue.turns.acquire(timeout=deadline.remaining_s()):
                raise BadPicture(
                    FailureReason.FETCH_TIMEOUT,
                    f"{host} was busy with {self._per_host} other fetches of ours all the time.",
                )
            try:
                deadline.start()
                yield
            finally:
                queue.turns.release()
        finally:
            with self._lock:
                queue.users -= 1
                if queue.users == 0:
                    del self._queues[host]
