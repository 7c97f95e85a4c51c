"""A search from its parts to its hits."""

from collections.abc import Sequence
from time import perf_counter

from sightline.index import SearchQuery
from sightline.index.filters import Filter
from sightline_api.cursors import make_cursor, read_cursor
from sightline_api.gateway import Gateway
from sightline_api.images import Image
from sightline_api.search_models import (
    MAX_DEPTH,
    Hit,
    ModelInUse,
    Part,
    SearchRequest,
    SearchResponse,
    Took,
)


def search(gateway: Gateway, request: SearchRequest) -> SearchResponse:
    """Run a composed query. Pictures that are part of it are left out of the hits."""
    started = perf_counter()
    collection = request.collection or gateway.settings.collection
    fingerprint = request.model_dump(mode="json", exclude={"cursor"})
    offset = int(read_cursor(request.cursor, fingerprint)) if request.cursor else 0
    limit = min(request.limit, MAX_DEPTH - offset)
    query = gateway.queries.encode(collection, request.query)
    encoded = perf_counter()
    wanted = SearchQuery(
        vector=query.vector,
        space=gateway.encoder.manifest.space,
        limit=limit + 1,
        offset=offset,
        filter=request.filter,
        exclude=query.image_ids,
        exact=request.exact,
    )
    points = gateway.index.search(collection, wanted)
    done = perf_counter()
    gateway.query_sample.offer(collection, wanted)
    reached = offset + limit
    more = len(points) > limit and reached < MAX_DEPTH
    return SearchResponse(
        hits=[Hit(image=Image.of(point, collection), score=point.score) for point in points[:limit]],
        next_cursor=make_cursor(reached, fingerprint) if more else None,
        took_ms=_took(started, encoded, done),
        warnings=list(query.warnings),
        model=ModelInUse(name=gateway.encoder.manifest.name, space=gateway.encoder.manifest.space),
    )


def search_parts(
    gateway: Gateway,
    parts: Sequence[Part],
    *,
    limit: int,
    cursor: str | None = None,
    filter: Filter | None = None,
    collection: str | None = None,
) -> SearchResponse:
    """The same for the short forms."""
    request = SearchRequest(
        query=list(parts), limit=limit, cursor=cursor, filter=filter, collection=collection
    )
    return search(gateway, request)


def _took(started: float, encoded: float, done: float) -> Took:
    def milliseconds(seconds: float) -> float:
        return round(seconds * 1000, 2)

    return Took(
        encode=milliseconds(encoded - started),
        index=milliseconds(done - encoded),
        total=milliseconds(done - started),
    )
