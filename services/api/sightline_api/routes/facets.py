"""What values the pictures' fields have, counted."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from sightline.index.filters import FIELD_PATTERN
from sightline_api.gateway import GatewayDep
from sightline_api.http.access import READ
from sightline_api.http.bounded_routes import BoundedRoute
from sightline_api.http.parameters import CollectionDep, FilterDep

router = APIRouter(prefix="/v1/facets", tags=["search"], route_class=BoundedRoute, dependencies=[READ])


class FacetValue(BaseModel):
    """A value, and how many pictures have it; a picture with several values counts for each."""

    value: str | int | bool
    count: int


class Facets(BaseModel):
    """The commonest values first; `more` if there are others."""

    field: Annotated[str, Field(examples=["tags"])]
    values: Annotated[list[FacetValue], Field(examples=[[{"value": "holiday", "count": 12}]])]
    more: bool


@router.get("")
def count_values(
    gateway: GatewayDep,
    collection: CollectionDep,
    filter: FilterDep,
    field: Annotated[
        str,
        Query(
            pattern=FIELD_PATTERN,
            max_length=200,
            description="a field of texts, whole numbers or bools",
            examples=["tags", "width"],
        ),
    ],
    limit: Annotated[int, Query(ge=1, le=1_000, examples=[50])] = 50,
) -> Facets:
    """Values of an indexed field among the pictures that match a filter, with exact counts."""
    found = gateway.index.facet(collection, field, limit=limit + 1, filter=filter)
    values = [FacetValue(value=one.value, count=one.count) for one in found[:limit]]
    return Facets(field=field, values=values, more=len(found) > limit)
