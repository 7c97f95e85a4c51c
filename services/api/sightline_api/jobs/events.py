"""A job's life as Server-Sent Events."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import anyio
import anyio.to_thread
from anyio import CapacityLimiter
from sse_starlette import EventSourceResponse, ServerSentEvent

from sightline.errors import JobNotFound, Unavailable
from sightline.queue.jobs import Job
from sightline_api.http.overload import overloaded
from sightline_api.jobs.resource import JobResource

_POLL_S = 0.5
_PING_S = 15
_SEND_TIMEOUT_S = 30
"""A client that reads nothing for so long is left."""
_END_WITHIN_S = 2
MOST_LISTENERS = 128
"""Each costs two reads of Redis a second."""
_THREADS = 4
"""That a Redis which does not answer can hold, whatever the number of listeners."""


class JobEvents:
    """Tells listeners how jobs go on."""

    def __init__(self) -> None:
        self._threads = CapacityLimiter(_THREADS)
        self._listeners = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Be a listener, from before the job is read until the stream is over.

        Raises ApiError (429) if too many listen.
        """
        if self._listeners >= MOST_LISTENERS:
            raise overloaded(f"{self._listeners} clients follow jobs, no more may.")
        self._listeners += 1
        try:
            yield
        finally:
            self._listeners -= 1

    async def stream(self, read: Callable[[], Job]) -> EventSourceResponse:
        """`progress` with the job now and whenever it changes, `done` when it has ended.

        `read` reads the job, in a thread of these; what it raises the first time is raised before anything is
        sent. When the server stops, the stream ends without `done`, and a browser comes back by itself.
        """
        job = await self._now(read)
        stopping = anyio.Event()
        return EventSourceResponse(
            self._events(job, read, stopping),
            ping=_PING_S,
            send_timeout=_SEND_TIMEOUT_S,
            shutdown_event=stopping,
            shutdown_grace_period=_END_WITHIN_S,
        )

    async def _events(
        self, job: Job, read: Callable[[], Job], stopping: anyio.Event
    ) -> AsyncIterator[ServerSentEvent]:
        yield _event("progress", job)
        while not job.state.final:
            with anyio.move_on_after(_POLL_S):
                await stopping.wait()
                return
            try:
                now = await self._now(read)
            except Unavailable:
                continue  # Redis comes back; the job goes on whether it is looked at or not.
            except JobNotFound:
                return
            if now != job:
                job = now
                yield _event("progress", job)
        yield _event("done", job)

    async def _now(self, read: Callable[[], Job]) -> Job:
        return await anyio.to_thread.run_sync(read, limiter=self._threads)


def _event(name: str, job: Job) -> ServerSentEvent:
    return ServerSentEvent(event=name, data=JobResource.of(job).model_dump_json())
