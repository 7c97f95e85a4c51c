"""More requests than can be served are refused before they wait without end."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

import anyio
import anyio.to_thread

from sightline_api.http.problems import ApiError

_RETRY_AFTER_S = "1"
_T = TypeVar("_T")


def overloaded(what: str) -> ApiError:
    """The error (429) for a request that finds no room to wait; `what` is a sentence."""
    detail = f"{what} Send fewer requests at a time, and this one again in a moment."
    return ApiError(HTTPStatus.TOO_MANY_REQUESTS, "overloaded", detail, {"Retry-After": _RETRY_AFTER_S})


class BoundedThreads:
    """Runs blocking calls in a bounded number of threads, with a bounded number waiting for one.

    Its threads are its own: calls that come in masses leave those of other routes alone.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        """Have `threads` calls run and `waiting` calls wait at most."""
        self._limiter = anyio.CapacityLimiter(threads)
        self._most = threads + waiting
        self._calls = 0

    async def run(self, call: Callable[[], _T]) -> _T:
        """The result of `call`; raises ApiError (429) at once if as many wait as may."""
        if self._calls >= self._most:
            raise overloaded(f"{self._calls} requests of this kind are under way.")
        self._calls += 1
        try:
            return await anyio.to_thread.run_sync(call, limiter=self._limiter)
        finally:
            self._calls -= 1
