"""Every request is counted and timed."""

from http import HTTPStatus
from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline_api.http.metrics import Metrics

_log = structlog.get_logger(__name__)


class RequestMetricsMiddleware:
    """Tells the metrics of each answer when it begins, for a stream of events may go on for hours."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        answered = False

        def note(status: int) -> None:
            nonlocal answered
            answered = True
            # The router leaves the route that it chose in the scope.
            route = getattr(scope.get("route"), "path_format", None)
            took_s = perf_counter() - started
            self._metrics.request_answered(route, scope["method"], status, took_s)
            _log.debug(
                "request_answered",
                method=scope["method"],
                route=route,
                status=status,
                ms=round(took_s * 1000, 1),
            )

        async def noted_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                note(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noted_send)
        except Exception:
            # A defect of what lies between here and where the others are answered.
            if not answered:
                note(HTTPStatus.INTERNAL_SERVER_ERROR.value)
            raise
