"""Request bodies have a limit, which holds while they stream in and whatever their header says."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline_api.problems import problem


class BodyLimitMiddleware:
    """Answers 413 to a body of more than `max_bytes`, without reading the rest of it."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Request(scope).headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        received = 0
        refused = False

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # The parser sees a client that went away, and stops.
            return {"type": "http.disconnect"} if received > self._max_bytes else message

        async def refuse_instead(message: Message) -> None:
            nonlocal refused
            if received <= self._max_bytes:
                await send(message)
            elif not refused:
                refused = True
                await self._refuse(scope, receive, send)

        await self._app(scope, counted_receive, refuse_instead)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"The request is larger than {self._max_bytes} bytes. Send the pictures in several requests."
        response = problem(Request(scope), HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large", detail)
        await response(scope, receive, send)
