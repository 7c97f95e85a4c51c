"""Request bodies have limits, which hold while they stream in and whatever their header says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import anyio
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline_api.http.overload import overloaded
from sightline_api.http.pace import Pace, Stopwatch
from sightline_api.http.problems import ApiError, problem

HELD_PACE = Pace(grace_s=20.0, bytes_per_s=32 << 10)
"""Of bodies that are held in memory."""


@dataclass(frozen=True)
class BodyLimits:
    """How large bodies may be, in bytes.

    `streamed` has the paths to which POST and PUT send bodies that go to the disk while they come in; one
    that ends with a slash stands for all below it. All others are held in memory: `most` of one, or what
    `held` says of the longest prefix of its path, and `memory` of all together. Of these, bodies of JSON may
    have so many `values` and names, or what `more_values` says of their path: each is a few bytes on the way,
    and a hundred times as much when it is read, in the time of everybody.
    """

    most: int
    memory: int
    held: Mapping[str, int] = field(default_factory=dict)
    streamed: Mapping[str, int] = field(default_factory=dict)
    values: int = 100_000
    more_values: Mapping[str, int] = field(default_factory=dict)
    pace: Pace = HELD_PACE

    def of(self, method: str, path: str) -> int:
        """The limit for a body sent to a path."""
        streamed = self.streamed_at(method, path)
        if streamed is not None:
            return streamed
        prefixes = [prefix for prefix in self.held if path.startswith(prefix)]
        return self.held[max(prefixes, key=len)] if prefixes else self.most

    def values_of(self, path: str) -> int:
        """How many values and names a body of JSON sent to a path may have."""
        return self.more_values.get(path, self.values)

    def streamed_at(self, method: str, path: str) -> int | None:
        """The limit for a body that goes to the disk, None for one that is held in memory."""
        if method not in ("POST", "PUT"):
            return None
        for place, limit in self.streamed.items():
            if path == place or (place.endswith("/") and path.startswith(place)):
                return limit
        return None


class BodyLimitMiddleware:
    """Answers 413 to a body over its limit, 429 to one that memory has no room for and 408 to one that comes
    too slowly, without reading the rest of it."""

    def __init__(self, app: ASGIApp, limits: BodyLimits) -> None:
        self._app = app
        self._limits = limits
        self._memory = _Memory(limits.memory)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        most = self._limits.of(scope["method"], scope["path"])
        announced = request.headers.get("content-length", "")
        coming = int(announced) if announced.isdigit() else 0
        if coming > most:
            await _refuse(request, _too_large(most), receive, send)
            return
        streamed = self._limits.streamed_at(scope["method"], scope["path"]) is not None
        body = _StreamedBody(receive, most) if streamed else self._held(request, receive, most)
        refused = False

        async def refuse_instead(message: Message) -> None:
            nonlocal refused
            if body.refusal is None:
                await send(message)
            elif not refused:
                refused = True
                await _refuse(request, body.refusal, receive, send)

        try:
            await self._app(scope, body.receive, refuse_instead)
        finally:
            body.forget()

    def _held(self, request: Request, receive: Receive, most: int) -> "_StreamedBody":
        # Pictures in forms have commas too, which stand for nothing.
        form = request.headers.get("content-type", "").startswith("multipart/")
        values = None if form else self._limits.values_of(request.url.path)
        return _HeldBody(receive, most, self._memory, self._limits.pace, values)


class _Memory:
    """What the bodies take that are held at this moment, in bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    def take(self, size: int) -> None:
        """Raise ApiError (429) if there is no room for so much."""
        if self._taken + size > self._most:
            raise overloaded(f"The requests under way take all of the {self._most:,} bytes that they may.")
        self._taken += size

    def give_back(self, size: int) -> None:
        self._taken -= size


class _StreamedBody:
    """A body that is passed on as it comes. After a `refusal` the application sees a client that is gone."""

    def __init__(self, receive: Receive, most: int) -> None:
        self.refusal: ApiError | None = None
        self._receive = receive
        self._most = most
        self._received = 0

    async def receive(self) -> Message:
        """The next message of the request."""
        try:
            message = await self._next()
            self._received += len(message.get("body", b""))
            if self._received > self._most:
                raise _too_large(self._most)
        except ApiError as refusal:
            self.refusal = refusal
            return {"type": "http.disconnect"}
        return message

    async def _next(self) -> Message:
        return await self._receive()

    def forget(self) -> None:
        """The request has been answered."""


class _HeldBody(_StreamedBody):
    """A body that the application holds in memory, as long as the request lasts."""

    def __init__(
        self, receive: Receive, most: int, memory: _Memory, pace: Pace, most_values: int | None
    ) -> None:
        super().__init__(receive, most)
        self._memory = memory
        self._most_values = most_values
        self._values = 0
        self._taken = 0
        self._pace = pace
        self._stopwatch: Stopwatch | None = None
        self._whole = False

    async def _next(self) -> Message:
        if self._whole:
            return await self._receive()
        # Counted from here: who may not call is refused before the body is asked for.
        self._stopwatch = self._stopwatch or Stopwatch(self._pace)
        try:
            with anyio.fail_after(self._stopwatch.seconds_left(self._received)):
                message = await self._receive()
        except TimeoutError as error:
            raise _too_slow(self._received) from error
        self._whole = not message.get("more_body", False)
        data = message.get("body", b"")
        # What has come and no more: who announces much and sends it slowly would keep the others out.
        self._take(self._received + len(data))
        self._count_values(data)
        return message

    def _count_values(self, data: bytes) -> None:
        if self._most_values is not None:
            self._values += data.count(b",") + data.count(b":")
            if self._values > self._most_values:
                raise _too_many_values(self._most_values)

    def _take(self, size: int) -> None:
        if size > self._taken:
            self._memory.take(size - self._taken)
            self._taken = size

    def forget(self) -> None:
        """The request has been answered."""
        self._memory.give_back(self._taken)
        self._taken = 0


def _too_large(most: int) -> ApiError:
    detail = f"The request is larger than {most:,} bytes, the limit here. Send it in several requests."
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large", detail)


def _too_many_values(most: int) -> ApiError:
    detail = f"The request has more than {most:,} values and names, the limit here. Send several requests."
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large", detail)


def _too_slow(received: int) -> ApiError:
    detail = f"The request came too slowly: {received:,} bytes of it have come. Send it again."
    return ApiError(HTTPStatus.REQUEST_TIMEOUT, "request_stalled", detail, {"Connection": "close"})


async def _refuse(request: Request, refusal: ApiError, receive: Receive, send: Send) -> None:
    response = problem(request, refusal.status, refusal.code, str(refusal), headers=refusal.headers)
    await response(request.scope, receive, send)
