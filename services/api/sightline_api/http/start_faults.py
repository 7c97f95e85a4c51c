"""Why the gateway cannot start is said in a sentence; Starlette tells the server by a traceback."""

import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.errors import SightlineError


class StartFaults:
    """An application whose start fails with the sentence of a SightlineError, which is `fault` then.

    Defects of ours keep their tracebacks.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.fault: SightlineError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is no failed start."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_sentence(message: Message) -> None:
            # It is sent while the error is handled.
            error = sys.exception()
            if message["type"] == "lifespan.startup.failed" and isinstance(error, SightlineError):
                self.fault = error
                message = {**message, "message": str(error)}
            await send(message)

        await self._app(scope, receive, send_sentence)
