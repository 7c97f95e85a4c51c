"""What clauses are to Qdrant Edge."""

from datetime import datetime

import numpy as np
import qdrant_edge as edge

from sightline.index.clauses import (
    Clause,
    Either,
    Every,
    HasId,
    HasValue,
    Match,
    Never,
    NumberRange,
    TimeRange,
    WithinArea,
    WithinCircle,
)


def edge_filter(clause: Clause | None) -> edge.Filter | None:
    """The engine's filter for a clause; None means everything."""
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
        case WithinCircle(field, lat, lon, radius_m):
            circle = edge.GeoRadius(edge.GeoPoint(lon, lat), radius_m)
            return edge.FieldCondition(field, geo_radius=circle)
        case WithinArea(field, south, north, west, east):
            area = edge.GeoBoundingBox(edge.GeoPoint(west, north), edge.GeoPoint(east, south))
            return edge.FieldCondition(field, geo_bounding_box=area)
        case HasValue(field):
            return edge.Filter(must_not=[edge.IsEmptyCondition(field)])
        case HasId(ids):
            return edge.HasIdCondition(set(ids))
        case Every(clauses):
            return edge.Filter(must=[_condition(inner) for inner in clauses])
        case Either(clauses):
            return edge.Filter(should=[_condition(inner) for inner in clauses])
        case Never(inner):
            return edge.Filter(must_not=[_condition(inner)])


def _exactly(value: str | int | bool) -> edge.MatchValue:
    # A Python bool would be taken for the integer it also is, and match nothing.
    return edge.MatchValue(np.bool_(value) if isinstance(value, bool) else value)  # type: ignore[arg-type]


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
