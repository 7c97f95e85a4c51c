"""Jobs whose planning was put off until a download has ended."""

from collections.abc import Callable
from threading import Lock

import structlog

from sightline.errors import Unavailable
from sightline_embedder.sources.download_turns import DownloadTurns

_log = structlog.get_logger(__name__)


class PutOffJobs:
    """The jobs of one embedder that wait for a download; `ask` sends the message that plans one.

    Safe to use from several threads. An embedder that dies takes no job with it: the ledger still owes the
    message, and the reconciler sends it.
    """

    def __init__(self, turns: DownloadTurns, ask: Callable[[str], None]) -> None:
        self._turns = turns
        self._ask = ask
        self._jobs: dict[str, None] = {}
        self._lock = Lock()
        turns.tell(self._ask_again)

    def add(self, job_id: str) -> None:
        """Have a job planned when the download has ended that goes on."""
        with self._lock:
            self._jobs[job_id] = None
        if not self._turns.busy:
            self._ask_again()  # It has ended meanwhile.

    def _ask_again(self) -> None:
        with self._lock:
            jobs, self._jobs = self._jobs, {}
        for job_id in jobs:
            try:
                self._ask(job_id)
            except Unavailable as error:
                _log.warning("put_off_job_not_asked_for", job_id=job_id, reason=str(error))
