"""One collection in Qdrant Edge: Qdrant's engine in this process, on a folder of its own."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

from sightline.index.clauses import Clause, Either, Every, HasId, Match, Never, NumberRange, TimeRange
from sightline.index.records import Hit, PointRecord, vector_bytes, vector_of
from sightline.payload import FieldType

_SCHEMAS = {
    FieldType.KEYWORD: edge.PayloadSchemaType.Keyword,
    FieldType.INTEGER: edge.PayloadSchemaType.Integer,
    FieldType.FLOAT: edge.PayloadSchemaType.Float,
    FieldType.DATETIME: edge.PayloadSchemaType.Datetime,
    FieldType.BOOL: edge.PayloadSchemaType.Bool,
}


class EdgeCollection:
    """A shard with one cosine vector per point. Every call holds the GIL until it is done.

    Writes are in the write-ahead log when they return, so they survive the end of the process.
    """

    def __init__(self, shard: edge.EdgeShard) -> None:
        self._shard = shard

    @classmethod
    def create(cls, folder: Path, dimension: int, fields: Mapping[str, FieldType]) -> Self:
        """Make an empty shard with its payload indexes in a folder that does not exist yet."""
        folder.mkdir(parents=True)
        vectors = edge.EdgeVectorParams(size=dimension, distance=edge.Distance.Cosine)
        config = edge.EdgeConfig(vectors=vectors, payload_memory=edge.Memory.Cold, wal_enabled=True)
        collection = cls(edge.EdgeShard.create(str(folder), config))
        collection.index_fields(fields)
        collection.flush()
        return collection

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open a shard and replay what its log holds beyond the last flush."""
        return cls(edge.EdgeShard.load(str(folder)))

    def index_fields(self, fields: Mapping[str, FieldType]) -> None:
        """Make a payload index for each field; one that is there stays."""
        for field, kind in fields.items():
            self._shard.update(edge.UpdateOperation.create_field_index(field, _SCHEMAS[kind]))

    def insert(self, points: Sequence[PointRecord]) -> None:
        """Insert points that are not there yet; vectors must have been checked."""
        made = [
            edge.Point(point.id, vector_of(point.vector or b"").tolist(), point.payload) for point in points
        ]
        self._shard.update(edge.UpdateOperation.upsert_points(made, update_mode=edge.UpdateMode.InsertOnly))

    def retrieve(self, ids: Sequence[str], *, with_vectors: bool) -> list[PointRecord]:
        """Read points by id."""
        return [_record(found) for found in self._shard.retrieve(list(ids), True, with_vectors)]

    def merge_payload(self, point_id: str, values: Mapping[str, Any], key: str | None = None) -> None:
        """Set entries of a point's payload, or of the object at `key`; nothing if there is no such point."""
        # By filter: by id, the engine fails on a point that has been deleted meanwhile.
        point = edge.Filter(must=[edge.HasIdCondition({point_id})])
        self._shard.update(edge.UpdateOperation.set_payload_by_filter(point, dict(values), key))

    def remove_payload(self, point_id: str, keys: Sequence[str]) -> None:
        """Remove entries of a point's payload by their paths; nothing if there is no such point or entry."""
        point = edge.Filter(must=[edge.HasIdCondition({point_id})])
        self._shard.update(edge.UpdateOperation.delete_payload_by_filter(point, list(keys)))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete points; ids that do not exist are ignored."""
        self._shard.update(edge.UpdateOperation.delete_points(list(ids)))

    def search(
        self, vector: NDArray[np.float32], clause: Clause | None, *, limit: int, offset: int, exact: bool
    ) -> list[Hit]:
        """The nearest points by cosine, best first."""
        request = edge.QueryRequest(
            query=edge.Query.Nearest(vector.tolist()),
            filter=_filter(clause),
            limit=limit,
            offset=offset,
            params=edge.SearchParams(exact=exact),
            with_payload=True,
        )
        found = self._shard.query(request)
        return [Hit(str(point.id), point.score, point.payload or {}) for point in found]

    def by_time(self, field: str, *, descending: bool, clause: Clause, limit: int) -> list[PointRecord]:
        """The first points in order of a time field, equal times in any order."""
        direction = edge.Direction.Desc if descending else edge.Direction.Asc
        request = edge.ScrollRequest(
            limit=limit, filter=_filter(clause), with_payload=True, order_by=edge.OrderBy(field, direction)
        )
        return [_record(found) for found in self._shard.scroll(request)[0]]

    def by_id(self, clause: Clause, *, after: str | None, limit: int) -> list[PointRecord]:
        """The first points in order of their ids, beyond `after`."""
        # The engine starts at an id, not after it.
        request = edge.ScrollRequest(limit=limit + 1, filter=_filter(clause), with_payload=True, offset=after)
        found = [_record(point) for point in self._shard.scroll(request)[0]]
        return [record for record in found if record.id != after][:limit]

    def count(self, clause: Clause | None = None) -> int:
        """How many points match, exactly."""
        return self._shard.count(edge.CountRequest(exact=True, filter=_filter(clause)))

    def flush(self) -> None:
        """Write everything to the segments, so that the next load has no log to replay."""
        self._shard.flush()

    def close(self) -> None:
        """Flush and release the folder."""
        self._shard.close()


def _record(found: edge.Record) -> PointRecord:
    vector = None if found.vector is None else vector_bytes(np.asarray(found.vector, dtype=np.float32))
    return PointRecord(str(found.id), found.payload or {}, vector)


def _filter(clause: Clause | None) -> edge.Filter | None:
    if clause is None:
        return None
    condition = _condition(clause)
    return condition if isinstance(condition, edge.Filter) else edge.Filter(must=[condition])


def _condition(clause: Clause) -> edge.FieldCondition | edge.HasIdCondition | edge.Filter:
    match clause:
        case Match(field, (value,)):
            return edge.FieldCondition(field, match=_exactly(value))
        case Match(field, values):
            # Values of one match are of one type, which the checker cannot see.
            return edge.FieldCondition(field, match=edge.MatchAny(list(values)))  # type: ignore[arg-type]
        case NumberRange(field, low, high):
            return edge.FieldCondition(field, range=edge.RangeFloat(gte=low, lte=high))
        case TimeRange(field, low, high):
            return edge.FieldCondition(field, range=edge.RangeDateTime(gte=_iso(low), lte=_iso(high)))
        case HasId(ids):
            return edge.HasIdCondition(set(ids))
        case Every(clauses):
            return edge.Filter(must=[_condition(inner) for inner in clauses])
        case Either(clauses):
            return edge.Filter(should=[_condition(inner) for inner in clauses])
        case Never(inner):
            return edge.Filter(must_not=[_condition(inner)])


def _exactly(value: str | int) -> edge.MatchValue:
    # A Python bool would be taken for the integer it also is, and match nothing.
    return edge.MatchValue(np.bool_(value) if isinstance(value, bool) else value)  # type: ignore[arg-type]


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
