"""Request bodies have a limit, which holds while they stream in and whatever their header says."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline_api.http.problems import problem


class BodyLimitMiddleware:
    """Answers 413 to a body over the limit, without reading the rest of it.

    That is `max_bytes`, or less for paths below one of `below`: bodies that are held in memory.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, below: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._below = below or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limits = (limit for path, limit in self._below.items() if scope["path"].startswith(path))
        max_bytes = min((self._max_bytes, *limits))
        announced = Request(scope).headers.get("content-length", "")
        if announced.isdigit() and int(announced) > max_bytes:
            await _refuse(max_bytes, scope, receive, send)
            return
        received = 0
        refused = False

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # The parser sees a client that went away, and stops.
            return {"type": "http.disconnect"} if received > max_bytes else message

        async def refuse_instead(message: Message) -> None:
            nonlocal refused
            if received <= max_bytes:
                await send(message)
            elif not refused:
                refused = True
                await _refuse(max_bytes, scope, receive, send)

        await self._app(scope, counted_receive, refuse_instead)


async def _refuse(max_bytes: int, scope: Scope, receive: Receive, send: Send) -> None:
    detail = f"The request is larger than {max_bytes:,} bytes, the limit here. Send it in several requests."
    response = problem(Request(scope), HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large", detail)
    await response(scope, receive, send)
