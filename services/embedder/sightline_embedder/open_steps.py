"""Steps of jobs that wait for room, kept with all that they hold open."""

from collections.abc import Iterator
from threading import Lock

from sightline_embedder.steps import Step


class OpenSteps:
    """The open steps of one embedder, by job. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str | None, Iterator[Step]]] = {}
        self._lock = Lock()

    def keep(self, job_id: str, cursor: str | None, steps: Iterator[Step]) -> None:
        """Keep the steps of a job that go on after a cursor."""
        with self._lock:
            self._kept[job_id] = cursor, steps

    def take(self, job_id: str, cursor: str | None) -> Iterator[Step] | None:
        """The steps of a job, which are kept no longer; None if there are none that go on after `cursor`."""
        with self._lock:
            kept_cursor, steps = self._kept.pop(job_id, (None, None))
        return steps if kept_cursor == cursor else None

    def drop(self, job_id: str) -> None:
        """Let go of what a job keeps open, as an archive."""
        with self._lock:
            self._kept.pop(job_id, None)

    def drop_unless_at(self, job_id: str, cursor: str | None) -> None:
        """Let go of steps where another embedder has planned on from another place."""
        with self._lock:
            if job_id in self._kept and self._kept[job_id][0] != cursor:
                del self._kept[job_id]

    def jobs(self) -> set[str]:
        """The jobs that keep something open."""
        with self._lock:
            return set(self._kept)
