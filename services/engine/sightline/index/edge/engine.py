"""The one door to Qdrant Edge: Qdrant's engine in this process, on a shard in a folder of its own."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import qdrant_edge as edge

from sightline.index.clauses import Clause
from sightline.index.edge.filters import edge_filter
from sightline.index.edge.heap import return_free_memory
from sightline.index.edge.shard import (
    Change,
    DeletePoints,
    IndexFields,
    InsertPoints,
    MergePayload,
    RemovePayload,
    ShardClosed,
    ShardSize,
)
from sightline.index.filtered_search import candidates, few_places_match
from sightline.index.ranking import CANDIDATES, BestScore, Diverse, Nearest, Ranking, best_score_of
from sightline.index.records import Hit, NearPoint, PointRecord, ValueCount, vector_bytes, vector_of
from sightline.index.tuning import (
    HNSW_EF_CONSTRUCT,
    HNSW_M,
    NEIGHBOURS_EF,
    OVERSAMPLING,
    SMALLEST_GRAPH_KB,
    Tuning,
    VectorLayout,
)
from sightline.payload import FieldType
from sightline.settings import SEARCH_EF, Quantization

_EXACT = edge.SearchParams(exact=True, quantization=edge.QuantizationSearchParams(ignore=True))
_NEIGHBOURS = edge.SearchParams(hnsw_ef=NEIGHBOURS_EF)
_BY_ORIGINALS = edge.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
_UNLIMITED_KB = 1 << 40


class EdgeShard:
    """A shard with one cosine vector per point, in this process. Every call holds the GIL till it is done."""

    def __init__(self, shard: edge.EdgeShard) -> None:
        self._shard: edge.EdgeShard | None = shard
        self._turn = threading.Lock()

    @classmethod
    def create(
        cls, folder: Path, dimension: int, fields: Mapping[str, FieldType], layout: VectorLayout
    ) -> Self:
        """Make an empty shard with its payload indexes in a folder that does not exist yet."""
        folder.mkdir(parents=True)
        shard = cls(edge.EdgeShard.create(str(folder), _config(dimension, layout)))
        shard.apply([IndexFields(fields)])
        shard.flush()
        return shard

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open a shard and replay what its log holds beyond the last flush."""
        shard = cls(edge.EdgeShard.load(str(folder)))
        return_free_memory()
        return shard

    @classmethod
    def optimize(
        cls, folder: Path, dimension: int, layout: VectorLayout, full_scan_kb: int = Tuning.full_scan_kb
    ) -> None:
        """Arrange a closed shard as `layout` says, with all its vectors in HNSW; holds the GIL for long.

        A graph of no more than `full_scan_kb` KiB of vectors is not walked: all are compared.
        """
        shard = edge.EdgeShard.load(str(folder), _config(dimension, layout, full_scan_kb))
        shard.optimize()
        shard.close()

    def apply(self, changes: Sequence[Change]) -> None:
        """Make changes, in order."""
        with self._opened() as shard:
            for change in changes:
                for operation in _operations(change):
                    shard.update(operation)

    def retrieve(self, ids: Sequence[str], *, with_vectors: bool) -> list[PointRecord]:
        """Read points by id."""
        with self._opened() as shard:
            return [_record(found) for found in shard.retrieve(list(ids), True, with_vectors)]

    def search(
        self,
        ranking: Ranking,
        clause: Clause | None,
        *,
        limit: int,
        offset: int,
        exact: bool,
        ef: int = SEARCH_EF,
        with_vectors: bool = False,
    ) -> list[Hit]:
        """The first points of a ranking."""
        exact = exact or few_places_match(clause, self.count)
        request = edge.QueryRequest(
            query=_query(ranking),
            filter=edge_filter(clause),
            limit=limit,
            offset=offset,
            params=_EXACT if exact else _walking(candidates(ef, clause)),
            with_payload=True,
            with_vector=with_vectors,
        )
        with self._opened() as shard:
            found = shard.query(request)
        score = best_score_of if isinstance(ranking, BestScore) else float
        return [Hit(str(one.id), score(one.score), one.payload or {}, _vector(one.vector)) for one in found]

    def neighbours(self, ids: Sequence[str], limit: int) -> dict[str, list[NearPoint]]:
        """The nearest other points of each of some points, best first."""
        with self._opened() as shard:
            found = shard.retrieve(list(ids), with_payload=False, with_vector=True)
        return {str(point.id): self._others(str(point.id), point.vector, limit) for point in found}

    def _others(self, point_id: str, vector: Any, limit: int) -> list[NearPoint]:
        request = edge.QueryRequest(
            query=edge.Query.Nearest(vector), limit=limit + 1, params=_NEIGHBOURS, with_payload=False
        )
        with self._opened() as shard:
            near = [NearPoint(str(one.id), one.score) for one in shard.query(request)]
        return [one for one in near if one.id != point_id][:limit]

    def by_time(self, field: str, *, descending: bool, clause: Clause, limit: int) -> list[PointRecord]:
        """The first points in order of a time field, equal times in any order."""
        direction = edge.Direction.Desc if descending else edge.Direction.Asc
        request = edge.ScrollRequest(
            limit=limit,
            filter=edge_filter(clause),
            with_payload=True,
            order_by=edge.OrderBy(field, direction),
        )
        with self._opened() as shard:
            return [_record(found) for found in shard.scroll(request)[0]]

    def by_id(
        self, clause: Clause, *, after: str | None, limit: int, with_vectors: bool = False
    ) -> list[PointRecord]:
        """The first points in order of their ids, beyond `after`."""
        # The engine starts at an id, not after it.
        request = edge.ScrollRequest(
            limit=limit + 1,
            filter=edge_filter(clause),
            with_payload=True,
            with_vector=with_vectors,
            offset=after,
        )
        with self._opened() as shard:
            found = [_record(point) for point in shard.scroll(request)[0]]
        return [record for record in found if record.id != after][:limit]

    def count(self, clause: Clause | None = None) -> int:
        """How many points match, exactly."""
        with self._opened() as shard:
            return shard.count(edge.CountRequest(exact=True, filter=edge_filter(clause)))

    def facet(self, field: str, clause: Clause | None, *, limit: int) -> list[ValueCount]:
        """The commonest values of an indexed field, exactly counted."""
        request = edge.FacetRequest(field, limit=limit, exact=True, filter=edge_filter(clause))
        with self._opened() as shard:
            return [ValueCount(hit.value, hit.count) for hit in shard.facet(request)]

    def sample(self, limit: int) -> list[bytes]:
        """Vectors of points picked at random, each at most once, as `vector_bytes`."""
        request = edge.QueryRequest(
            query=edge.Sample.Random, limit=limit, with_vector=True, with_payload=False
        )
        with self._opened() as shard:
            found = shard.query(request)
        return [vector_bytes(np.asarray(point.vector, dtype=np.float32)) for point in found]

    def size(self) -> ShardSize:
        """How large the shard is."""
        with self._opened() as shard:
            info = shard.info()
        return ShardSize(info.points_count, info.indexed_vectors_count)

    def flush(self) -> None:
        """Write everything to the segments, so that the next load has no log to replay."""
        with self._opened() as shard:
            shard.flush()

    def close(self) -> None:
        """Flush and release the folder."""
        with self._turn:
            if self._shard is not None:
                self._shard.close()
                self._shard = None
                return_free_memory()

    @contextmanager
    def _opened(self) -> Iterator[edge.EdgeShard]:
        with self._turn:
            if self._shard is None:
                raise ShardClosed
            yield self._shard


def _query(ranking: Ranking) -> edge.Query | edge.Mmr:
    match ranking:
        case Nearest(vector):
            return edge.Query.Nearest(vector_of(vector).tolist())
        case Diverse(vector, diversity):
            return edge.Mmr(vector_of(vector).tolist(), 1 - diversity, CANDIDATES)
        case BestScore(positives, negatives):
            near, far = ([vector_of(one).tolist() for one in some] for some in (positives, negatives))
            return edge.Query.RecommendBestScore(edge.RecommendQuery(near, far))


def _walking(ef: int) -> edge.SearchParams:
    return edge.SearchParams(hnsw_ef=ef, quantization=_BY_ORIGINALS)


def _config(dimension: int, layout: VectorLayout, full_scan_kb: int = Tuning.full_scan_kb) -> edge.EdgeConfig:
    vectors = edge.EdgeVectorParams(
        size=dimension,
        distance=edge.Distance.Cosine,
        memory=edge.Memory.Cold if layout.on_disk else edge.Memory.Cached,
    )
    return edge.EdgeConfig(
        vectors=vectors,
        payload_memory=edge.Memory.Cold,
        hnsw_config=edge.HnswIndexConfig(
            m=HNSW_M, ef_construct=HNSW_EF_CONSTRUCT, full_scan_threshold=full_scan_kb
        ),
        quantization_config=_quantization(layout.quantization),
        # One segment: a search then walks one graph, however often it was built again.
        optimizers=edge.EdgeOptimizersConfig(
            default_segment_number=1, max_segment_size=_UNLIMITED_KB, indexing_threshold=SMALLEST_GRAPH_KB
        ),
        wal_enabled=True,
    )


def _quantization(
    kind: Quantization,
) -> edge.ScalarQuantizationConfig | edge.TurboQuantQuantizationConfig | None:
    match kind:
        case Quantization.INT8:
            return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, memory=edge.Memory.Pinned)
        case Quantization.TURBO4:
            bits = edge.TurboQuantBitSize.Bits4
            return edge.TurboQuantQuantizationConfig(bits=bits, memory=edge.Memory.Pinned)
        case _:
            return None


def _operations(change: Change) -> Iterator[edge.UpdateOperation]:
    match change:
        case InsertPoints(points):
            made = [
                edge.Point(point.id, vector_of(point.vector or b"").tolist(), point.payload)
                for point in points
            ]
            yield edge.UpdateOperation.upsert_points(made, update_mode=edge.UpdateMode.InsertOnly)
        case MergePayload(point_id, values, key):
            yield edge.UpdateOperation.set_payload_by_filter(_point(point_id), dict(values), key)
        case RemovePayload(point_id, paths):
            yield edge.UpdateOperation.delete_payload_by_filter(_point(point_id), list(paths))
        case DeletePoints(ids):
            yield edge.UpdateOperation.delete_points(list(ids))
        case IndexFields(fields):
            for field, kind in fields.items():
                yield edge.UpdateOperation.create_field_index(field, _payload_index(kind))


def _payload_index(
    kind: FieldType,
) -> (
    edge.KeywordIndexParams
    | edge.IntegerIndexParams
    | edge.FloatIndexParams
    | edge.DatetimeIndexParams
    | edge.BoolIndexParams
    | edge.GeoIndexParams
):
    """Read from the page cache: in memory they took more than compressed vectors, and were no quicker."""
    cold = edge.Memory.Cold
    match kind:
        case FieldType.KEYWORD:
            return edge.KeywordIndexParams(memory=cold)
        case FieldType.INTEGER:
            return edge.IntegerIndexParams(lookup=True, range=True, memory=cold)
        case FieldType.FLOAT:
            return edge.FloatIndexParams(memory=cold)
        case FieldType.DATETIME:
            return edge.DatetimeIndexParams(memory=cold)
        case FieldType.BOOL:
            return edge.BoolIndexParams(memory=cold)
        case FieldType.GEO:
            return edge.GeoIndexParams(memory=cold)


def _point(point_id: str) -> edge.Filter:
    # By filter: by id, the engine fails on a point that has been deleted meanwhile.
    return edge.Filter(must=[edge.HasIdCondition({point_id})])


def _record(found: edge.Record) -> PointRecord:
    return PointRecord(str(found.id), found.payload or {}, _vector(found.vector))


def _vector(vector: object) -> bytes | None:
    return None if vector is None else vector_bytes(np.asarray(vector, dtype=np.float32))
