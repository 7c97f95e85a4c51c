"""What each route asks of its caller, seen to before the body of a request is read."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer

from sightline.queue.keys import Scope
from sightline_api.gateway import Gateway
from sightline_api.http.callers import Caller
from sightline_api.http.problems import ApiError
from sightline_api.http.sessions import COOKIE

_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="`Authorization: Bearer KEY`")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="header")
_COOKIE = APIKeyCookie(
    name=COOKIE, auto_error=False, scheme_name="session", description="from `POST /v1/session`"
)


class Requires:
    """A dependency by which a route says whom it serves; GuardedRoute sees to it.

    `unlimited` routes tell of all collections, so that keys which are limited to some may not call them.
    """

    def __init__(self, scope: Scope, *, unlimited: bool = False) -> None:
        self.scope = scope
        self.unlimited = unlimited

    async def __call__(
        self,
        request: Request,
        _bearer: Annotated[object, Security(_BEARER)],
        _header: Annotated[object, Security(_HEADER)],
        _cookie: Annotated[object, Security(_COOKIE)],
    ) -> Caller:
        """The caller. What is not read here is what OpenAPI says of keys."""
        return await _caller(request)

    def check(self, caller: Caller) -> None:
        """Raise ApiError (403) for a caller who may not."""
        if not caller.scope.covers(self.scope):
            raise _forbidden(
                f"Key '{caller.name}' has the scope {caller.scope}; this call needs the scope {self.scope}."
            )
        if self.unlimited and caller.collections is not None:
            raise _forbidden(
                f"Key '{caller.name}' is limited to some collections, and this call tells of all of them."
            )


async def _anybody() -> None:
    """What a route depends on that asks nothing of its caller."""


PUBLIC = Depends(_anybody)
READ = Depends(Requires(Scope.READ))
READ_ALL = Depends(Requires(Scope.READ, unlimited=True))
WRITE = Depends(Requires(Scope.WRITE))
ADMIN = Depends(Requires(Scope.ADMIN))


Handler = Callable[[Request], Coroutine[Any, Any, Response]]
"""What answers a request that was let in."""


class GuardedRoute(APIRoute):
    """A route for callers with a key: others are told so before they have sent a body.

    FastAPI reads bodies before it resolves dependencies.
    """

    def get_route_handler(self) -> Handler:
        """The route's handler behind the check."""
        handle = super().get_route_handler()
        if is_public(self):
            return handle
        required = required_of(self)
        if required is None:
            raise TypeError(f"Route {self.path} does not say what it asks of its caller: PUBLIC, READ, …")

        async def guarded(request: Request) -> Response:
            await self.admit(request, required)
            return await self.serve(request, handle)

        return guarded

    async def admit(self, request: Request, required: Requires) -> None:
        """Raise ApiError or Unavailable unless the route serves this caller, who is in the request then."""
        gateway: Gateway = request.app.state.gateway
        caller = await gateway.callers.of(request)
        if caller.rate_limit is not None:
            await anyio.to_thread.run_sync(gateway.rate_limits.count_request, caller)
        required.check(caller)
        request.state.caller = caller

    async def serve(self, request: Request, handle: Handler) -> Response:
        """The answer to a request that was admitted."""
        return await handle(request)


def required_of(route: APIRoute) -> Requires | None:
    """What a route asks of its caller; None for one that is public or does not say."""
    declared = (one.dependency for one in route.dependencies)
    return next((one for one in declared if isinstance(one, Requires)), None)


def is_public(route: APIRoute) -> bool:
    """Whether a route says that it asks nothing of its caller."""
    return any(one.dependency is _anybody for one in route.dependencies)


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]


def _forbidden(detail: str) -> ApiError:
    return ApiError(HTTPStatus.FORBIDDEN, "forbidden", detail)
