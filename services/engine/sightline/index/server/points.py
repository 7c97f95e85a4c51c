"""Points on a Qdrant server: written, read, searched and counted, as records."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
from qdrant_client import QdrantClient, models

from sightline.index.clauses import Clause
from sightline.index.filtered_search import candidates, few_places_match
from sightline.index.placement import Cluster
from sightline.index.ranking import CANDIDATES, BestScore, Diverse, Nearest, Ranking, best_score_of
from sightline.index.records import Hit, NearPoint, PointRecord, ValueCount, vector_bytes, vector_of
from sightline.index.server.failures import translated
from sightline.index.server.filters import server_filter
from sightline.index.tuning import NEIGHBOURS_EF, OVERSAMPLING
from sightline.settings import SEARCH_EF, ReadConsistency

_NEIGHBOURS = models.SearchParams(hnsw_ef=NEIGHBOURS_EF)
_BY_ORIGINALS = models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
_EXACT = models.SearchParams(exact=True, quantization=models.QuantizationSearchParams(ignore=True))


class QdrantPoints:
    """Operations on the points of a collection. Safe to call from several threads, as the client is.

    Every method raises Unavailable when the server does not answer, and CollectionNotFound.
    """

    def __init__(self, client: QdrantClient, cluster: Cluster) -> None:
        """`cluster` says how reads and writes are made to agree between replicas."""
        self._client = client
        self._consistency = _consistency(cluster.read_consistency)
        # Else replicas may apply two writes to one point in different orders, and differ ever after.
        self._ordering = models.WriteOrdering.MEDIUM if cluster.replicated else None

    def insert(self, name: str, points: Sequence[PointRecord]) -> None:
        """Insert points that are not there yet."""
        made = [
            models.PointStruct(
                id=point.id, vector=vector_of(point.vector or b"").tolist(), payload=point.payload
            )
            for point in points
        ]
        with translated(name):
            self._client.upsert(
                name,
                made,
                wait=True,
                update_mode=models.UpdateMode.INSERT_ONLY,
                ordering=self._ordering,
            )

    def retrieve(self, name: str, ids: Sequence[str], *, with_vectors: bool) -> list[PointRecord]:
        """Read points by id."""
        with translated(name):
            found = self._client.retrieve(
                name, list(ids), with_payload=True, with_vectors=with_vectors, consistency=self._consistency
            )
        return [_record(record) for record in found]

    def merge_payload(
        self, name: str, values: Mapping[str, Mapping[str, Any]], key: str | None = None
    ) -> None:
        """Set payload entries by point id, or entries of the object at `key`; absent points are left out."""
        operations = [
            models.SetPayloadOperation(
                set_payload=models.SetPayload(payload=dict(entries), key=key, filter=_points([point_id]))
            )
            for point_id, entries in values.items()
        ]
        with translated(name):
            self._client.batch_update_points(name, operations, wait=True, ordering=self._ordering)

    def remove_payload(self, name: str, paths: Mapping[str, Sequence[str]]) -> None:
        """Remove payload entries by point id and path; what is not there is left out."""
        operations = [
            models.DeletePayloadOperation(
                delete_payload=models.DeletePayload(keys=list(keys), filter=_points([point_id]))
            )
            for point_id, keys in paths.items()
        ]
        with translated(name):
            self._client.batch_update_points(name, operations, wait=True, ordering=self._ordering)

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete points; ids that do not exist are ignored."""
        with translated(name):
            chosen = models.PointIdsList(points=list(ids))
            self._client.delete(name, chosen, wait=True, ordering=self._ordering)

    def delete_matching(self, name: str, clause: Clause) -> None:
        """Delete the points that match at the moment of deletion."""
        filter = server_filter(clause) or models.Filter()
        with translated(name):
            chosen = models.FilterSelector(filter=filter)
            self._client.delete(name, chosen, wait=True, ordering=self._ordering)

    def search(
        self,
        name: str,
        ranking: Ranking,
        clause: Clause | None,
        *,
        limit: int,
        offset: int,
        exact: bool,
        ef: int = SEARCH_EF,
        with_vectors: bool = False,
    ) -> list[Hit]:
        """The first points of a ranking; `ef` candidates are kept while the graph is walked."""
        exact = exact or few_places_match(clause, partial(self.count, name))
        near = models.SearchParams(hnsw_ef=candidates(ef, clause), quantization=_BY_ORIGINALS)
        with translated(name):
            found = self._client.query_points(
                name,
                query=_query(ranking),
                query_filter=server_filter(clause),
                search_params=_EXACT if exact else near,
                limit=limit,
                offset=offset,
                with_payload=True,
                with_vectors=with_vectors,
                consistency=self._consistency,
            )
        score = best_score_of if isinstance(ranking, BestScore) else float
        return [
            Hit(str(one.id), score(one.score), one.payload or {}, _vector(one.vector)) for one in found.points
        ]

    def neighbours(self, name: str, ids: Sequence[str], limit: int) -> dict[str, list[NearPoint]]:
        """The nearest other points of each of some points, best first."""
        with translated(name):
            points = self._client.retrieve(
                name, list(ids), with_payload=False, with_vectors=True, consistency=self._consistency
            )
            # By vector, because a point may be deleted meanwhile.
            requests = [
                models.QueryRequest(
                    query=models.NearestQuery(nearest=cast("list[float]", point.vector)),
                    params=_NEIGHBOURS,
                    limit=limit + 1,
                )
                for point in points
            ]
            answers = (
                self._client.query_batch_points(name, requests, consistency=self._consistency)
                if requests
                else []
            )
        return {
            str(point.id): [NearPoint(str(one.id), one.score) for one in answer.points if one.id != point.id][
                :limit
            ]
            for point, answer in zip(points, answers, strict=True)
        }

    def by_time(
        self, name: str, field: str, *, descending: bool, clause: Clause, limit: int
    ) -> list[PointRecord]:
        """The first points in order of a time field, equal times in any order."""
        direction = models.Direction.DESC if descending else models.Direction.ASC
        order = models.OrderBy(key=field, direction=direction)
        with translated(name):
            found, _ = self._client.scroll(
                name, server_filter(clause), limit=limit, order_by=order, consistency=self._consistency
            )
        return [_record(record) for record in found]

    def by_id(
        self, name: str, clause: Clause, *, after: str | None, limit: int, with_vectors: bool = False
    ) -> list[PointRecord]:
        """The first points in order of their ids, beyond `after`."""
        with translated(name):
            # The server starts at an id, not after it.
            found, _ = self._client.scroll(
                name,
                server_filter(clause),
                limit=limit + 1,
                offset=after,
                with_vectors=with_vectors,
                consistency=self._consistency,
            )
        return [_record(record) for record in found if record.id != after][:limit]

    def count(self, name: str, clause: Clause | None = None) -> int:
        """How many points match, exactly."""
        with translated(name):
            return self._client.count(name, count_filter=server_filter(clause), exact=True).count

    def facet(self, name: str, field: str, clause: Clause | None, *, limit: int) -> list[ValueCount]:
        """The commonest values of an indexed field, exactly counted."""
        with translated(name):
            found = self._client.facet(
                name,
                field,
                facet_filter=server_filter(clause),
                limit=limit,
                exact=True,
                consistency=self._consistency,
            )
        return [ValueCount(hit.value, hit.count) for hit in found.hits]

    def sample(self, name: str, limit: int) -> list[bytes]:
        """Vectors of points picked at random, each at most once, as `vector_bytes`."""
        with translated(name):
            found = self._client.query_points(
                name,
                query=models.SampleQuery(sample=models.Sample.RANDOM),
                limit=limit,
                with_payload=False,
                with_vectors=True,
                consistency=self._consistency,
            )
        return [vector_bytes(np.asarray(point.vector, dtype=np.float32)) for point in found.points]


def _query(ranking: Ranking) -> models.Query:
    match ranking:
        case Nearest(vector):
            return models.NearestQuery(nearest=vector_of(vector).tolist())
        case Diverse(vector, diversity):
            spread = models.Mmr(diversity=diversity, candidates_limit=CANDIDATES)
            return models.NearestQuery(nearest=vector_of(vector).tolist(), mmr=spread)
        case BestScore(positives, negatives):
            near, far = ([vector_of(one).tolist() for one in some] for some in (positives, negatives))
            examples = models.RecommendInput(
                positive=near, negative=far, strategy=models.RecommendStrategy.BEST_SCORE
            )
            return models.RecommendQuery(recommend=examples)


def _consistency(read: ReadConsistency | None) -> models.ReadConsistency | None:
    return models.ReadConsistencyType(read) if isinstance(read, str) else read


def _record(record: models.Record) -> PointRecord:
    return PointRecord(str(record.id), record.payload or {}, _vector(record.vector))


def _vector(vector: object) -> bytes | None:
    return None if vector is None else vector_bytes(np.asarray(vector, dtype=np.float32))


def _points(ids: Sequence[str]) -> models.Filter:
    # To change points by id, the server refuses as a whole when one of them has been deleted.
    return models.Filter(must=[models.HasIdCondition(has_id=list(ids))])
