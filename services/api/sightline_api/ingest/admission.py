"""Whether there is room for more work: asked before the body of a request is read."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import anyio.to_thread
from fastapi import Request, Response
from fastapi.routing import APIRoute

from sightline_api.gateway import Gateway
from sightline_api.http.access import check_key
from sightline_api.http.problems import ApiError

_QUEUE_RETRY_AFTER_S = "10"


class AdmittingRoute(APIRoute):
    """A route that makes jobs: who has no key, or finds the queue full, is told before sending all.

    FastAPI reads a body before it resolves dependencies.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler behind the check."""
        handle = super().get_route_handler()

        async def admit(request: Request) -> Response:
            gateway: Gateway = request.app.state.gateway
            headers = request.headers
            check_key(gateway.settings, headers.get("Authorization"), headers.get("X-API-Key"))
            await anyio.to_thread.run_sync(check_queue, gateway)
            return await handle(request)

        return admit


def check_queue(gateway: Gateway) -> None:
    """Raise ApiError (429) while as many jobs are under way as may be."""
    active, limit = gateway.ledger.active_count(), gateway.settings.max_active_jobs
    if active >= limit:
        detail = f"{active} jobs are under way; no more than {limit} may be. Try again when some have ended."
        headers = {"Retry-After": _QUEUE_RETRY_AFTER_S}
        raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "queue_full", detail, headers)
