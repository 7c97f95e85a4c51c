"""Search by words, by pictures and by both."""

from functools import partial
from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter, File, Form, Query, UploadFile

from sightline.index.filters import parse_filter
from sightline_api.gateway import GatewayDep
from sightline_api.http.access import READ, CallerDep
from sightline_api.http.bounded_routes import BoundedRoute
from sightline_api.http.example_values import QUERY, STEERED_QUERY, TREE_JSON
from sightline_api.http.parameters import CollectionDep, Cursor, FilterDep, chosen_collection
from sightline_api.search.grammar import parse_query
from sightline_api.search.models import (
    MAX_TEXT_CHARACTERS,
    ImageBytesPart,
    Lang,
    Limit,
    MinRelevance,
    Part,
    SearchRequest,
    SearchResponse,
    TextPart,
    Weight,
)
from sightline_api.search.searching import search, search_parts

router = APIRouter(prefix="/v1/search", tags=["search"], route_class=BoundedRoute, dependencies=[READ])

QueryText = Annotated[
    str, Query(min_length=1, max_length=MAX_TEXT_CHARACTERS, examples=[QUERY, STEERED_QUERY])
]
_FORM_EXAMPLES = {
    "alike": {"summary": "pictures like this one", "value": {"file": "coffee.png"}},
    "alike, but": {
        "summary": "and what words say, among those that match a filter",
        "value": {"file": "coffee.png", "q": STEERED_QUERY, "weight": 0.7, "limit": 5, "filter": TREE_JSON},
    },
}


@router.post("")
async def search_composed(gateway: GatewayDep, caller: CallerDep, body: SearchRequest) -> SearchResponse:
    """Search by any number of parts: texts, stored pictures and pictures in the request."""
    chosen_collection(gateway, caller, body.collection)
    return await anyio.to_thread.run_sync(partial(search, gateway, body))


@router.get("")
async def search_short(
    gateway: GatewayDep,
    collection: CollectionDep,
    filter: FilterDep,
    q: QueryText,
    lang: Lang = None,
    syntax: Annotated[
        Literal["short", "plain"], Query(description="`plain` takes the text as it is")
    ] = "short",
    limit: Limit = 20,
    min_relevance: MinRelevance = None,
    cursor: Cursor = None,
) -> SearchResponse:
    """Search by words and "quoted phrases"; `-word` and `-"a phrase"` exclude."""
    parts = [TextPart(text=q, lang=lang)] if syntax == "plain" else parse_query(q, lang=lang)
    return await anyio.to_thread.run_sync(
        partial(
            search_parts,
            gateway,
            parts,
            limit=limit,
            cursor=cursor,
            filter=filter,
            min_relevance=min_relevance,
            collection=collection,
        )
    )


@router.post(
    "/image",
    openapi_extra={"requestBody": {"content": {"multipart/form-data": {"examples": _FORM_EXAMPLES}}}},
)
async def search_by_image(
    gateway: GatewayDep,
    collection: CollectionDep,
    file: Annotated[UploadFile, File()],
    q: Annotated[str | None, Form(max_length=MAX_TEXT_CHARACTERS)] = None,
    lang: Annotated[Lang, Form()] = None,
    weight: Annotated[Weight, Form(description="of the picture, beside a text of weight 1")] = 1.0,
    limit: Annotated[Limit, Form()] = 20,
    min_relevance: Annotated[MinRelevance, Form()] = None,
    filter: Annotated[str | None, Form(description="the filter tree as JSON")] = None,
    cursor: Annotated[str | None, Form(description="the `next_cursor` of the page before")] = None,
) -> SearchResponse:
    """Search by a picture in a form, and by words too if `q` is there."""
    data = await file.read(gateway.settings.max_picture_bytes + 1)
    parts: list[Part] = [ImageBytesPart(image_base64=data, weight=weight)]
    if q:
        parts += parse_query(q, beside_others=True, lang=lang)
    tree = parse_filter(filter) if filter else None
    return await anyio.to_thread.run_sync(
        partial(
            search_parts,
            gateway,
            parts,
            limit=limit,
            cursor=cursor,
            filter=tree,
            min_relevance=min_relevance,
            collection=collection,
        )
    )
