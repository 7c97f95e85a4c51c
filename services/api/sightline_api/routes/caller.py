"""Whoever calls: what their key is good for, so that a client need not offer what would be refused."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from sightline.queue.keys import Scope
from sightline_api.gateway import GatewayDep
from sightline_api.http.access import READ, CallerDep, GuardedRoute

router = APIRouter(prefix="/v1/caller", tags=["service"], route_class=GuardedRoute)


class CallerResource(BaseModel):
    """Whoever calls. Where no key is set that is everybody, `anonymous`, with the scope `admin`."""

    id: Annotated[str, Field(description="of the key, as logs have it; or `environment`, or `anonymous`")]
    name: str
    scope: Scope
    collections: Annotated[
        list[str] | None, Field(description="the only ones that the key may use, by name; null: all of them")
    ]
    default_collection: Annotated[
        str, Field(description="what a call without `collection` is about, whether the key may use it or not")
    ]


@router.get("", dependencies=[READ])
async def get_caller(gateway: GatewayDep, caller: CallerDep) -> CallerResource:
    """What the key, or the session, of this call is good for."""
    return CallerResource(
        id=caller.id,
        name=caller.name,
        scope=caller.scope,
        collections=None if caller.collections is None else sorted(caller.collections),
        default_collection=gateway.settings.collection,
    )
