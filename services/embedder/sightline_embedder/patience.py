"""How long a job waits on a full disk before it is said to have failed."""

import time

FULL_DISK_PATIENCE_S = 15.0


class Patience:
    """Per job, the time since its disk was first found full. Safe to use from several threads."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: dict[str, float] = {}

    def is_over(self, job_id: str) -> bool:
        """Whether the job was in want for the limit; the first call begins to count."""
        since = self._since.setdefault(job_id, time.monotonic())
        return time.monotonic() - since >= self._limit_s

    def renew(self, job_id: str) -> None:
        """The job has what it wants."""
        self._since.pop(job_id, None)
