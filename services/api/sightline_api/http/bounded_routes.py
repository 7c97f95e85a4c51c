"""Which routes share a bound, and how a request comes to its place in it."""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus

from fastapi import Depends, Request, Response
from starlette.requests import ClientDisconnect

from sightline_api.gateway import Gateway, GatewayDep
from sightline_api.http.access import GuardedRoute, Handler, Requires
from sightline_api.http.overload import Work, overloaded
from sightline_api.http.problems import ApiError

WORK_OF: Mapping[str, Work] = {
    "/v1/search": Work.SEARCH,
    "/v1/search/image": Work.SEARCH,
    "/v1/images/{image_id}/similar": Work.SEARCH,
    "/v1/classify": Work.ENCODING,
    "/v1/embeddings": Work.ENCODING,
    "/v1/facets": Work.INDEX,
    "/v1/images": Work.INDEX,
    "/v1/images/known": Work.INDEX,
    "/v1/images/{image_id}": Work.INDEX,
    "/v1/duplicates": Work.INDEX,
    "/v1/model": Work.INDEX,
    "/v1/stats": Work.INDEX,
    "/v1/images/{image_id}/thumbnail": Work.THUMBNAIL,
    "/v1/collections": Work.INDEX,
    "/v1/collections/{name}": Work.INDEX,
    "/v1/collections/{name}/optimize": Work.INDEX,
    "/v1/migrations": Work.QUEUE,
    "/v1/migrations/{migration_id}": Work.QUEUE,
    "/v1/migrations/{migration_id}/report": Work.ENCODING,
    "/v1/migrations/{migration_id}/switch": Work.QUEUE,
    "/v1/migrations/{migration_id}/rollback": Work.QUEUE,
    "/v1/migrations/{migration_id}/pause": Work.QUEUE,
    "/v1/migrations/{migration_id}/resume": Work.QUEUE,
    "/v1/migrations/{migration_id}/abort": Work.QUEUE,
    "/v1/migrations/{migration_id}/finish": Work.QUEUE,
    "/v1/exports/{job_id}": Work.QUEUE,
    "/v1/exports/{job_id}/{file}": Work.QUEUE,
    "/v1/keys": Work.QUEUE,
    "/v1/keys/{key_id}": Work.QUEUE,
    "/v1/jobs": Work.QUEUE,
    "/v1/jobs/{job_id}": Work.QUEUE,
    "/v1/jobs/{job_id}/cancel": Work.QUEUE,
    "/v1/jobs/{job_id}/failures": Work.QUEUE,
}
"""By the path of a BoundedRoute. Routes that are not here take a place by themselves, or need none."""


class BoundedRoute(GuardedRoute):
    """A guarded route whose work is bounded.

    Who finds no room is told before the body is read. A place is taken when the body is there and given
    back before the answer is sent, so that slow clients hold none.
    """

    async def admit(self, request: Request, required: Requires) -> None:
        """See GuardedRoute."""
        await super().admit(request, required)
        if work := WORK_OF.get(self.path_format):
            gateway: Gateway = request.app.state.gateway
            gateway.bounds.check(work)

    async def serve(self, request: Request, handle: Handler) -> Response:
        """See GuardedRoute."""
        work = WORK_OF.get(self.path_format)
        if work is None:
            return await handle(request)
        gateway: Gateway = request.app.state.gateway
        await _read_body(request)
        async with gateway.bounds.place(work) as waited:
            if waited and await request.is_disconnected():
                raise overloaded("The client has gone while its request waited.")
            return await handle(request)


async def _read_body(request: Request) -> None:
    try:
        await request.body()
    except ClientDisconnect as error:
        detail = "The client went away while it sent its request."
        raise ApiError(HTTPStatus.BAD_REQUEST, "request_broke_off", detail) from error


async def _hold_until_sent(gateway: GatewayDep) -> AsyncIterator[None]:
    async with gateway.bounds.place(Work.ORIGINAL):
        yield


HoldsOriginal = Depends(_hold_until_sent, scope="request")
"""For a route that answers with a whole original: it takes memory until the client has read it."""


async def _listen_until_left(gateway: GatewayDep) -> AsyncIterator[None]:
    with gateway.job_events.place():
        yield


ListensToJob = Depends(_listen_until_left, scope="request")
"""For a route that follows a job: its client is a listener until the answer ends, however it ends."""
