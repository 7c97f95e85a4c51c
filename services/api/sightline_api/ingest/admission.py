"""Whether there is room for more work: asked before the body of a request is read."""

from functools import partial
from http import HTTPStatus

from fastapi import Request

from sightline_api.gateway import Gateway
from sightline_api.http.access import GuardedRoute, Requires
from sightline_api.http.callers import Caller
from sightline_api.http.overload import Work
from sightline_api.http.problems import ApiError
from sightline_api.ingest.idempotency import RequestKey, request_key

UPLOADS = "/v1/images"
_BRINGS_NOTHING_IN = ("/v1/collections/{name}/export", "/v1/jobs/{job_id}/retry")
"""Routes that no quota stops: what is retried has been counted."""
_QUEUE_RETRY_AFTER_S = "10"


class AdmittingRoute(GuardedRoute):
    """A route that makes jobs: who finds the queue full, or has no quota left, is told before sending all."""

    async def admit(self, request: Request, required: Requires) -> None:
        """See GuardedRoute."""
        await super().admit(request, required)
        gateway: Gateway = request.app.state.gateway
        # Uploads are told apart here, because Redis is asked for the other limits.
        gateway.bounds.check(Work.UPLOAD if self.path_format == UPLOADS else Work.QUEUE)
        caller: Caller = request.state.caller
        key = request_key(request, caller, request.headers.get("Idempotency-Key"))
        with_quota = self.path_format not in _BRINGS_NOTHING_IN
        await gateway.bounds.run(Work.QUEUE, partial(_check_room, gateway, caller, key, with_quota))


def _check_room(gateway: Gateway, caller: Caller, key: RequestKey, with_quota: bool) -> None:
    if key.scoped and gateway.ledger.knows(key.scoped):
        return  # It is sent again, and makes no second job.
    check_queue(gateway)
    if with_quota:
        gateway.rate_limits.check_quota(caller)


def check_queue(gateway: Gateway) -> None:
    """Raise ApiError (429) while as many jobs are under way as may be."""
    active, limit = gateway.ledger.active_count(), gateway.settings.max_active_jobs
    if active >= limit:
        detail = f"As many jobs are under way as may be ({limit}). Try again when some have ended."
        headers = {"Retry-After": _QUEUE_RETRY_AFTER_S}
        raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "queue_full", detail, headers)
