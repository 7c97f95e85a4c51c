"""Points as the engines hold them: payloads as JSON objects, vectors as raw bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadRequest
from sightline.index import (
    CollectionInfo,
    FacetCount,
    Neighbour,
    Point,
    ScoredPoint,
    SearchQuery,
    StoredPoint,
)
from sightline.index.placement import Placement
from sightline.index.ranking import BestScore, Diverse, Nearest, Ranking
from sightline.payload import FieldType, Payload
from sightline.settings import Precision, Quantization


class PointRecord(msgspec.Struct, frozen=True, array_like=True):
    """A point; `vector` is little-endian float32, or None where it was not asked for."""

    id: str
    payload: dict[str, Any]
    vector: bytes | None = None


class Hit(msgspec.Struct, frozen=True, array_like=True):
    """A search result; `score` is a cosine, `vector` as in PointRecord."""

    id: str
    score: float
    payload: dict[str, Any]
    vector: bytes | None = None


class NearPoint(msgspec.Struct, frozen=True, array_like=True):
    """A point near another one, and the cosine of the two."""

    id: str
    score: float


class ValueCount(msgspec.Struct, frozen=True, array_like=True):
    """A value of a field, and how many points have it."""

    value: str | int | bool
    count: int


class CollectionRecord(msgspec.Struct, frozen=True):
    """What a collection is; `points` is how many it holds, `indexed` how many vectors HNSW covers."""

    name: str
    space: str
    dimension: int
    fields: dict[str, FieldType]
    points: int
    indexed: int = 0
    quantization: Quantization | None = None
    placement: Placement | None = None
    precision: Precision | None = None
    version: str = ""
    uid: str = ""

    def info(self) -> CollectionInfo:
        """The same for callers of the index."""
        return CollectionInfo(
            self.name,
            self.space,
            self.dimension,
            self.fields,
            self.points,
            self.indexed,
            self.quantization,
            placement=self.placement,
            precision=self.precision,
            version=self.version or self.name,
            uid=self.uid,
        )


def vector_bytes(vector: NDArray[np.float32]) -> bytes:
    """A vector, shape (dimension,), as little-endian float32; BadRequest for any other shape."""
    if vector.ndim != 1:
        raise BadRequest(f"A vector has one axis, not the shape {vector.shape}.")
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def vector_of(data: bytes) -> NDArray[np.float32]:
    """Read `vector_bytes` back, read-only, shape (dimension,)."""
    return np.frombuffer(data, dtype="<f4")


def vectors_of(vectors: Sequence[bytes], dimension: int) -> NDArray[np.float32]:
    """Read many back: shape (n, dimension), also if there are none."""
    return np.stack([vector_of(one) for one in vectors]) if vectors else np.empty((0, dimension), np.float32)


def ranking_of(query: SearchQuery) -> Ranking:
    """What a query orders points by."""
    if query.positives is not None:
        negatives = () if query.negatives is None else query.negatives
        return BestScore(
            tuple(vector_bytes(one) for one in query.positives), tuple(vector_bytes(one) for one in negatives)
        )
    if query.diversity > 0:
        return Diverse(vector_bytes(query.vector), query.diversity)
    return Nearest(vector_bytes(query.vector))


def point_record(point: Point) -> PointRecord:
    """A point to insert, as the engines take it."""
    return PointRecord(point.id, point.payload.model_dump(mode="json"), vector_bytes(point.vector))


def stored_point(record: PointRecord) -> StoredPoint:
    """A point read back."""
    vector = None if record.vector is None else vector_of(record.vector)
    return StoredPoint(record.id, Payload.model_validate(record.payload), vector)


def scored_point(hit: Hit) -> ScoredPoint:
    """A search result read back."""
    vector = None if hit.vector is None else vector_of(hit.vector)
    return ScoredPoint(hit.id, hit.score, Payload.model_validate(hit.payload), vector)


def neighbours_of(found: Mapping[str, Sequence[NearPoint]]) -> dict[str, Sequence[Neighbour]]:
    """The neighbours of points, for callers of the index."""
    return {point_id: [Neighbour(one.id, one.score) for one in near] for point_id, near in found.items()}


def facet_counts(counts: Sequence[ValueCount]) -> list[FacetCount]:
    """Counts of values, the commonest first; equally common ones in order of the values."""
    found = [FacetCount(one.value, one.count) for one in counts]
    return sorted(found, key=lambda one: (-one.count, one.value))


def field_types(fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
    """The indexed fields as a plain dict of plain members."""
    return {name: FieldType(kind) for name, kind in fields.items()}
