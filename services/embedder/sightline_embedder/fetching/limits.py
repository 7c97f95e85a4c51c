"""How long and how far one fetch may go."""

from dataclasses import dataclass
from time import monotonic
from typing import Self

from sightline.settings import Settings


@dataclass(frozen=True)
class FetchLimits:
    """Limits of one fetch; those of its bytes are given with each call.

    redirects        how many are followed
    first_byte_s     seconds from the start of a request (look-up, connection and TLS included) until its
                     headers are there; then the longest silence within the body
    total_s          seconds for everything, retries and the waits before them included. It runs from the
                     first turn at the host; the wait for that turn ends after as long again
    min_bytes_per_s  a body that is slower on average, once `first_byte_s` have passed, is given up
    attempts         how often a fetch is begun when it fails in a way that may pass
    backoff_s        seconds before the second attempt, twice as long before each further one, plus jitter
    """

    redirects: int = 5
    first_byte_s: float = 10.0
    total_s: float = 30.0
    min_bytes_per_s: int = 1024
    attempts: int = 3
    backoff_s: float = 0.5

    @classmethod
    def of_pictures(cls, settings: Settings) -> Self:
        """Those of a picture's fetch."""
        return cls(settings.fetch_max_redirects, settings.fetch_first_byte_s, settings.fetch_timeout_s)

    @classmethod
    def of_downloads(cls, settings: Settings) -> Self:
        """Those of an archive's or a manifest's, which may take longer as a whole."""
        return cls(settings.fetch_max_redirects, settings.fetch_first_byte_s, settings.download_timeout_s)


class Deadline:
    """The end of a fetch: `total_s` seconds after its start, which comes with the first turn at a host."""

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._end: float | None = None

    def start(self) -> None:
        """Let the time run, if it does not run yet."""
        if self._end is None:
            self._end = monotonic() + self._total_s

    def remaining_s(self) -> float:
        """Seconds left, 0 at least."""
        return self._total_s if self._end is None else max(0.0, self._end - monotonic())
