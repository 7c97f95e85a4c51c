"""Every request but those of probes is a span, which all that it causes is part of."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.tracing import SpanKind, Tracer
from sightline_api.http.request_id import request_id

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds; a trace of each would bury the others."""


class RequestSpanMiddleware:
    """Opens the span of a request, within the trace of a caller that keeps one (`traceparent`).

    It is named by the template of the route: paths hold ids, and addresses hold queries.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        facts = {"request_id": request_id(request)}
        parent = request.headers.get("traceparent")
        with self._tracer.span("request", facts, kind=SpanKind.SERVER, parent=parent) as span:

            async def noted_send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.note({"http.response.status_code": message["status"]})
                await send(message)

            try:
                await self._app(scope, receive, noted_send)
            finally:
                # The router leaves the route that it chose in the scope.
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    span.rename(f"{scope['method']} {route}")
                    span.note({"http.request.method": scope["method"], "http.route": route})
