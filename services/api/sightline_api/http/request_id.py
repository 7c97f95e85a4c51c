"""Every request has an id: the caller's own where it is sane, else a new one."""

import re
from uuid import uuid4

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(request: Request) -> str:
    """The id of the request at hand."""
    return str(request.state.request_id)


def bound_request_id() -> str | None:
    """The id of the request that this thread or task works for, if it works for one."""
    bound = structlog.contextvars.get_contextvars().get("request_id")
    return None if bound is None else str(bound)


class RequestIdMiddleware:
    """Sets the id on the request, in the log and on the response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request under its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        offered = Request(scope).headers.get(HEADER, "")
        chosen = offered if _SANE.fullmatch(offered) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = chosen

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((HEADER.lower().encode(), chosen.encode()))
            await send(message)

        # Never unbound: what is logged of a defect is logged further out, and the task ends with the request.
        structlog.contextvars.bind_contextvars(request_id=chosen)
        await self._app(scope, receive, send_with_id)
