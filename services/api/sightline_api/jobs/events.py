"""A job's life as Server-Sent Events."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import anyio
import anyio.to_thread
from anyio import CapacityLimiter
from sse_starlette import EventSourceResponse, ServerSentEvent

from sightline.errors import JobNotFound, Unavailable
from sightline.queue.jobs import Job
from sightline.queue.ledger import Ledger
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

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._threads = CapacityLimiter(_THREADS)
        self._listeners = 0

    async def stream(self, job_id: str) -> EventSourceResponse:
        """`progress` with the job now and whenever it changes, `done` when it has ended.

        Raises JobNotFound, and ApiError (429) if too many listen, before anything is sent. When the server
        stops, the stream ends without `done`, and a browser comes back by itself.
        """
        if self._listeners >= MOST_LISTENERS:
            raise overloaded(f"{self._listeners} clients follow jobs, no more may.")
        job = await self._read(job_id)
        stopping = anyio.Event()
        return EventSourceResponse(
            self._events(job, stopping),
            ping=_PING_S,
            send_timeout=_SEND_TIMEOUT_S,
            shutdown_event=stopping,
            shutdown_grace_period=_END_WITHIN_S,
        )

    async def _events(self, job: Job, stopping: anyio.Event) -> AsyncIterator[ServerSentEvent]:
        self._listeners += 1
        try:
            async with aclosing(self._changes(job, stopping)) as changes:
                async for event in changes:
                    yield event
        finally:
            self._listeners -= 1

    async def _changes(self, job: Job, stopping: anyio.Event) -> AsyncGenerator[ServerSentEvent, None]:
        yield _event("progress", job)
        while not job.state.final:
            with anyio.move_on_after(_POLL_S):
                await stopping.wait()
                return
            try:
                now = await self._read(job.id)
            except Unavailable:
                continue  # Redis comes back; the job goes on whether it is looked at or not.
            except JobNotFound:
                return
            if now != job:
                job = now
                yield _event("progress", job)
        yield _event("done", job)

    async def _read(self, job_id: str) -> Job:
        return await anyio.to_thread.run_sync(self._ledger.job, job_id, limiter=self._threads)


def _event(name: str, job: Job) -> ServerSentEvent:
    return ServerSentEvent(event=name, data=JobResource.of(job).model_dump_json())
