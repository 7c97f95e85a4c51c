"""A search from its parts to its hits."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Literal

from sightline.errors import BadRequest
from sightline.index import ScoredPoint, SearchQuery
from sightline.index.filters import Filter
from sightline.index.ranking import CANDIDATES
from sightline.likeness import Alike
from sightline.served import Served
from sightline_api.gateway import Gateway
from sightline_api.http.cursors import make_cursor, read_number
from sightline_api.images import Image
from sightline_api.search.collapsing import CollapsedHit, collapsed_page
from sightline_api.search.models import (
    MAX_DEPTH,
    MAX_PARTS,
    Hit,
    ModelInUse,
    Part,
    PartScore,
    SearchRequest,
    SearchResponse,
    Took,
)
from sightline_api.search.query import EncodedQuery
from sightline_api.search.query_model import QueryModel
from sightline_api.search.relevance import STANDS_OUT


def search(gateway: Gateway, request: SearchRequest) -> SearchResponse:
    """Run a composed query. Pictures that are part of it are left out of the hits."""
    collection = request.collection or gateway.settings.collection
    return gateway.with_served(collection, partial(_search, gateway, request))


def _search(gateway: Gateway, request: SearchRequest, served: Served[QueryModel]) -> SearchResponse:
    started = perf_counter()
    model, collection = served.model, served.version
    # A page of one version says nothing of what is on the next of another.
    fingerprint = [request.model_dump(mode="json", exclude={"cursor"}), collection]
    depth = CANDIDATES if request.diversity else MAX_DEPTH
    offset = read_number(request.cursor, fingerprint, below=depth) if request.cursor else 0
    limit = min(request.limit, depth - offset)
    with gateway.tracer.span("encode", {"parts": len(request.query)}):
        query = model.queries.encode(collection, request.query, request.strategy)
    encoded = perf_counter()
    wanted = SearchQuery(
        vector=query.aims[0].vector,
        space=served.space,
        limit=limit + 1,
        offset=offset,
        filter=request.filter,
        exclude=query.image_ids,
        exact=request.exact,
        ef=gateway.settings.search_ef,
        with_vectors=True,
        diversity=request.diversity,
        positives=query.positives if request.strategy == "best_score" else None,
        negatives=query.negatives if request.strategy == "best_score" else None,
    )
    with gateway.tracer.span("index", {"limit": wanted.limit, "offset": offset}) as span:
        found = _found(gateway, collection, wanted, request.collapse, depth)
        relevance = model.relevance.of(collection, query, [hit.point for hit in found], served.uid)
        no_good_match = _finds_nothing(gateway, served, query, wanted, relevance)
        span.note({"hits": len(found)})
    done = perf_counter()
    gateway.metrics.searched(encoded - started, done - encoded)
    hits = _hits(served.name, query, found[:limit], relevance, request)
    if not request.diversity and request.strategy == "sum":
        gateway.query_sample.offer(collection, replace(wanted, with_vectors=False))
        gateway.request_sample.offer(served.name, request)
    reached = offset + limit
    # A page without a hit is no end: relevance does not always fall from one hit to the next.
    more = len(found) > limit and reached < depth
    return SearchResponse(
        hits=hits,
        no_good_match=no_good_match,
        next_cursor=make_cursor(reached, fingerprint) if more else None,
        took_ms=_took(started, encoded, done),
        warnings=list(query.warnings),
        model=ModelInUse(name=model.artifact.manifest.name, space=served.space),
    )


def search_parts(
    gateway: Gateway,
    parts: Sequence[Part],
    *,
    limit: int,
    cursor: str | None = None,
    filter: Filter | None = None,
    min_relevance: float | None = None,
    collection: str | None = None,
) -> SearchResponse:
    """The same for the short forms; raises BadRequest for more parts than a query may have."""
    if len(parts) > MAX_PARTS:
        raise BadRequest(
            f"The query has {len(parts)} words, phrases, exclusions and pictures; {MAX_PARTS} are the most."
        )
    request = SearchRequest(
        query=list(parts),
        limit=limit,
        cursor=cursor,
        filter=filter,
        min_relevance=min_relevance,
        collection=collection,
    )
    return search(gateway, request)


def _found(
    gateway: Gateway,
    collection: str,
    wanted: SearchQuery,
    collapse: Literal["none"] | Alike,
    depth: int,
) -> Sequence[CollapsedHit]:
    if collapse == "none":
        return [CollapsedHit(point) for point in gateway.index.search(collection, wanted)]
    return collapsed_page(partial(gateway.index.search, collection), wanted, collapse, most=depth)


def _hits(
    collection: str,
    query: EncodedQuery,
    found: Sequence[CollapsedHit],
    relevance: Sequence[float],
    request: SearchRequest,
) -> list[Hit]:
    least = request.min_relevance or 0.0
    return [
        Hit(
            image=Image.of(hit.point, collection),
            score=hit.point.score,
            relevance=one,
            hidden=hit.hidden,
            parts=_part_scores(query, hit.point) if request.explain else None,
        )
        for hit, one in zip(found, relevance, strict=False)
        if one >= least
    ]


def _part_scores(query: EncodedQuery, point: ScoredPoint) -> list[PartScore] | None:
    """What each part of the query has in a hit."""
    if point.vector is None:
        return None
    scores = query.part_scores(point.vector)
    contributions = query.contributions(scores)
    return [
        PartScore(score=float(score), weight=float(weight), contribution=float(contribution))
        for score, weight, contribution in zip(scores, query.weights, contributions, strict=True)
    ]


def _finds_nothing(
    gateway: Gateway,
    served: Served[QueryModel],
    query: EncodedQuery,
    wanted: SearchQuery,
    relevance: Sequence[float],
) -> bool:
    """Whether the best hit of all does not stand out; on a later page it has to be looked for."""
    if wanted.offset > 0:
        best = gateway.index.search(served.version, replace(wanted, offset=0, limit=1))
        relevance = served.model.relevance.of(served.version, query, best, served.uid)
    return not relevance or relevance[0] < STANDS_OUT


def _took(started: float, encoded: float, done: float) -> Took:
    def milliseconds(seconds: float) -> float:
        return round(seconds * 1000, 2)

    return Took(
        encode=milliseconds(encoded - started),
        index=milliseconds(done - encoded),
        total=milliseconds(done - started),
    )
