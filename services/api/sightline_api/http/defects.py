"""Requests that fail by a defect are answered like all others, with what every answer has."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline_api.http.problems import defect_answer


class DefectsMiddleware:
    """Answers a defect with 500, unless an answer has begun, and raises it again for the server to see.

    Starlette answers one outside of every other middleware, where it would have no id and no header of ours.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = False

        async def noted_send(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, receive, noted_send)
        except Exception as error:
            answer = defect_answer(Request(scope), error)
            if not answered:
                await answer(scope, receive, send)
            raise
