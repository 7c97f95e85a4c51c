"""What a migration would change: how much both versions hold, and how differently they answer."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sightline.errors import (
    BadPicture,
    FailureReason,
    ImageNotFound,
    MigrationRefused,
    NotFound,
    QueryCancelsOut,
)
from sightline.index import ScoredPoint, SearchQuery
from sightline.index.filters import Condition
from sightline.queue.migration_records import Migration
from sightline.ranking_metrics import ndcg, recall
from sightline.served import Served
from sightline_api.gateway import Gateway
from sightline_api.search.models import Part, SearchRequest, Text, TextPart
from sightline_api.search.query_model import QueryModel

K = 10
_PICTURES = 50
MAX_JUDGED = 500
_Name = Annotated[str, Field(min_length=1, max_length=4096)]


class Judged(BaseModel):
    """A query, and the pictures it should find: each by its id, a place it came from, or several such."""

    model_config = ConfigDict(extra="forbid")

    query: Text
    relevant: Annotated[list[_Name | list[_Name]], Field(min_length=1, max_length=1000)]


class Overlap(BaseModel):
    """Of `queries`, how much of the first 10 hits both versions have in common, on average, from 0 to 1."""

    queries: int
    overlap_at_10: float | None


class Quality(BaseModel):
    """How well one version answers judged queries, on average, from 0 to 1."""

    recall_at_10: float
    ndcg_at_10: float


class JudgedQuality(BaseModel):
    """Both versions on the judged queries."""

    queries: int
    old: Quality
    new: Quality


class MigrationReport(BaseModel):
    """What is to be known before a switch.

    `live_queries` are searches that this gateway answered lately, `pictures` stored ones, each as a query.
    `from_thumbnails` had no original any more; `lost` could not be encoded at all, by reason.
    """

    points_old: int
    points_new: int
    from_thumbnails: int
    lost: dict[FailureReason, int]
    live_queries: Overlap
    pictures: Overlap
    judged: JudgedQuality | None


@dataclass(frozen=True)
class _Versions:
    old: Served[QueryModel]
    new: Served[QueryModel]

    def __iter__(self) -> Iterator[Served[QueryModel]]:
        return iter((self.old, self.new))


def report_of(gateway: Gateway, migration: Migration, judged: Sequence[Judged]) -> MigrationReport:
    """Compare the versions of a migration; raises MigrationRefused where it is over, and ModelError."""
    if migration.state.final:
        raise MigrationRefused("migration_state", f"Migration {migration.id} is over: one version is gone.")
    old = gateway.models.get(migration.old_space, migration.old_precision)
    new = gateway.models.get(migration.space, migration.precision)
    versions = _Versions(
        Served(migration.collection, migration.old, migration.old_space, old),
        Served(migration.collection, migration.new, migration.space, new),
    )
    return MigrationReport(
        points_old=gateway.index.count(migration.old),
        points_new=gateway.index.count(migration.new),
        from_thumbnails=from_thumbnails(gateway, migration),
        lost=lost_now(gateway, migration),
        live_queries=_of_requests(gateway, versions, gateway.request_sample.of(migration.collection)),
        pictures=_of_pictures(gateway, versions),
        judged=_of_judged(gateway, versions, judged) if judged else None,
    )


def lost_now(gateway: Gateway, migration: Migration) -> dict[FailureReason, int]:
    """How many points of the old version could not be encoded for the new one, by reason.

    Those that came in again since they were noted, or were deleted, are noted no more.
    """
    for ids in gateway.migrations.lost.ids(migration.id):
        old, new = (gateway.index.retrieve(version, ids) for version in (migration.old, migration.new))
        gateway.migrations.lost.take_back(migration.id, [one for one in ids if one not in old or one in new])
    return gateway.migrations.lost.by_reason(migration.id)


def from_thumbnails(gateway: Gateway, migration: Migration) -> int:
    """How many points of the new version were encoded from thumbnails."""
    return gateway.index.count(migration.new, Condition(field="encoded_from", eq="thumbnail"))


def _of_requests(gateway: Gateway, versions: _Versions, requests: Sequence[SearchRequest]) -> Overlap:
    shares = []
    for request in requests:
        # A picture that the query names may have been deleted since.
        with suppress(NotFound, BadPicture, QueryCancelsOut):
            old, new = (_ids(_hits(gateway, served, request)) for served in versions)
            shares.append(_overlap(old, new))
    return _mean(shares)


def _hits(gateway: Gateway, served: Served[QueryModel], request: SearchRequest) -> Sequence[ScoredPoint]:
    query = served.model.queries.encode(served.version, request.query, request.strategy)
    best_score = request.strategy == "best_score"
    wanted = SearchQuery(
        vector=query.aims[0].vector,
        space=served.space,
        limit=K,
        filter=request.filter,
        exclude=query.image_ids,
        ef=gateway.settings.search_ef,
        positives=query.positives if best_score else None,
        negatives=query.negatives if best_score else None,
    )
    return gateway.index.search(served.version, wanted)


def _of_pictures(gateway: Gateway, versions: _Versions) -> Overlap:
    shares = []
    for vector in gateway.index.sample(versions.old.version, _PICTURES):
        nearest = _near(gateway, versions.old, vector, exclude=())
        if nearest:
            with suppress(ImageNotFound):  # Not made in the new version yet, or deleted.
                shares.append(_of_picture(gateway, versions, nearest[0].id))
    return _mean(shares)


def _of_picture(gateway: Gateway, versions: _Versions, image_id: str) -> float:
    found = []
    for served in versions:
        point = gateway.index.retrieve(served.version, [image_id], with_vectors=True).get(image_id)
        if point is None or point.vector is None:
            raise ImageNotFound(served.name, image_id)
        found.append(_ids(_near(gateway, served, point.vector, exclude=(image_id,))))
    return _overlap(*found)


def _near(
    gateway: Gateway, served: Served[QueryModel], vector: NDArray[np.float32], exclude: Sequence[str]
) -> Sequence[ScoredPoint]:
    ef = gateway.settings.search_ef
    wanted = SearchQuery(vector=vector, space=served.space, limit=K, exclude=exclude, ef=ef)
    return gateway.index.search(served.version, wanted)


def _of_judged(gateway: Gateway, versions: _Versions, judged: Sequence[Judged]) -> JudgedQuality:
    old, new = (_quality(gateway, served, judged) for served in versions)
    return JudgedQuality(queries=len(judged), old=old, new=new)


def _quality(gateway: Gateway, served: Served[QueryModel], judged: Sequence[Judged]) -> Quality:
    recalls, gains = [], []
    for one in judged:
        parts: list[Part] = [TextPart(text=one.query)]
        hits = _hits(gateway, served, SearchRequest(query=parts))
        wanted = set().union(*(names if isinstance(names, list) else [names] for names in one.relevant))
        grades = [float(bool(wanted & _names(hit))) for hit in hits]
        ideal = [1.0] * min(len(one.relevant), K)
        recalls.append(recall(grades, ideal, K))
        gains.append(ndcg(grades, ideal))
    return Quality(recall_at_10=round(fmean(recalls), 4), ndcg_at_10=round(fmean(gains), 4))


def _names(hit: ScoredPoint) -> set[str]:
    return {hit.id, *(source.uri for source in hit.payload.sources.values())}


def _ids(hits: Sequence[ScoredPoint]) -> set[str]:
    return {hit.id for hit in hits}


def _overlap(old: set[str], new: set[str]) -> float:
    return len(old & new) / max(len(old), len(new)) if old or new else 1.0


def _mean(shares: Sequence[float]) -> Overlap:
    return Overlap(queries=len(shares), overlap_at_10=round(fmean(shares), 4) if shares else None)
