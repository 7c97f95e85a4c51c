"""Headers that keep an answer from being taken for more than it is, where its route does not say others."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEFAULTS = {
    # Uploaded bytes are what their type says, never a page or a script.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    # What one caller may see, a cache in between must not show another.
    "Cache-Control": "no-store",
}
RESOURCE_POLICY = "Cross-Origin-Resource-Policy"


class ResponseHeadersMiddleware:
    """Adds the defaults; `embeddable`: pages of other origins may show pictures from here."""

    def __init__(self, app: ASGIApp, embeddable: bool) -> None:
        self._app = app
        self._defaults = DEFAULTS | {RESOURCE_POLICY: "cross-origin" if embeddable else "same-origin"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_defaults(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._defaults.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_defaults)
