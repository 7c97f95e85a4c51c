"""More requests than can be served are refused before they wait without end."""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from http import HTTPStatus
from typing import TypeVar

import anyio
import anyio.to_thread

from sightline.settings import Settings
from sightline_api.http.problems import ApiError

_RETRY_WITHIN_S = 3
"""Drawn anew for each refusal, so that those refused together do not come back together."""
_ORIGINALS = 4
"""Each holds a whole file in memory until its client has read it."""
_FOLLOWED_REQUESTS = 64
_THUMBNAILS_WAITING_PER_PLACE = 32
"""A page asks for hundreds at once, and each takes a millisecond."""
_OTHER_THREADS = 8
_T = TypeVar("_T")


class Work(StrEnum):
    """What requests do, by what they would exhaust; those of one kind share a bound."""

    SEARCH = "searches"
    ENCODING = "requests for vectors"
    """Classification and embeddings: one of them may be the work of hundreds of searches."""
    INDEX = "requests to the index"
    QUEUE = "requests to the queue"
    THUMBNAIL = "requests for thumbnails"
    ORIGINAL = "requests for originals"
    UPLOAD = "uploads"
    FOLLOWED = "requests that wait for their job"


def overloaded(what: str) -> ApiError:
    """The error (429) for a request that finds no room to wait; `what` is a sentence."""
    detail = f"{what} Send fewer requests at a time, and this one again in a moment."
    retry_after = {"Retry-After": str(random.randint(1, _RETRY_WITHIN_S))}
    return ApiError(HTTPStatus.TOO_MANY_REQUESTS, "overloaded", detail, retry_after)


class Bound:
    """So many requests at a time, so many that wait for one of those to end, and none for long.

    For one event loop. Those that wait are served in the order in which they came.
    """

    def __init__(self, what: str, *, places: int, waiting: int, wait_s: float) -> None:
        """`what` names the requests, in the plural."""
        self.places = places
        self._what = what
        self._most = places + waiting
        self._wait_s = wait_s
        self._free = anyio.Semaphore(places)
        self._here = 0

    def check(self) -> None:
        """Raise ApiError (429) if there is no room, not even to wait."""
        if self._here >= self._most:
            raise overloaded(f"{self._here} {self._what} are under way, no more may be.")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[bool]:
        """Hold a place; the value is whether it had to be waited for.

        Raises ApiError (429), at once if as many wait as may, and else when the wait was in vain.
        """
        self.check()
        self._here += 1
        try:
            waited = await self._acquire()
            try:
                yield waited
            finally:
                self._free.release()
        finally:
            self._here -= 1

    async def _acquire(self) -> bool:
        try:
            self._free.acquire_nowait()
        except anyio.WouldBlock:
            with anyio.move_on_after(self._wait_s):
                await self._free.acquire()
                return True
            detail = f"This request has waited {self._wait_s:g} s behind other {self._what}."
            raise overloaded(detail) from None
        return False


class Bounds:
    """The bounds of one gateway, by kind of work."""

    def __init__(self, bounds: Mapping[Work, Bound]) -> None:
        self._bounds = bounds

    @classmethod
    def of(cls, settings: Settings) -> "Bounds":
        """As many places and waiting requests as the settings allow."""
        reads = settings.read_concurrency
        places = {
            Work.SEARCH: settings.search_concurrency,
            Work.ENCODING: settings.encoding_concurrency,
            Work.INDEX: reads,
            Work.QUEUE: reads,
            Work.THUMBNAIL: reads,
            Work.ORIGINAL: _ORIGINALS,
            Work.UPLOAD: settings.upload_concurrency,
            Work.FOLLOWED: _FOLLOWED_REQUESTS,
        }
        per_place = dict.fromkeys(Work, settings.waiting_per_place)
        if settings.waiting_per_place:
            per_place[Work.THUMBNAIL] = max(settings.waiting_per_place, _THUMBNAILS_WAITING_PER_PLACE)
        per_place[Work.FOLLOWED] = 0
        made = {
            work: Bound(work, places=count, waiting=count * per_place[work], wait_s=settings.longest_wait_s)
            for work, count in places.items()
        }
        return cls(made)

    def check(self, work: Work) -> None:
        """See Bound."""
        self._bounds[work].check()

    def place(self, work: Work) -> AbstractAsyncContextManager[bool]:
        """See Bound."""
        return self._bounds[work].place()

    async def run(self, work: Work, call: Callable[[], _T]) -> _T:
        """The result of a blocking call, made in a thread while it holds a place; raises as Bound does."""
        async with self.place(work):
            return await anyio.to_thread.run_sync(call)

    def size_threads(self) -> None:
        """Have a thread for every place, so that no kind of work waits for the threads of another.

        Called in the event loop that serves.
        """
        places = sum(bound.places for bound in self._bounds.values())
        anyio.to_thread.current_default_thread_limiter().total_tokens = places + _OTHER_THREADS
