"""What clauses are to a Qdrant server."""

from qdrant_client import models

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


def server_filter(clause: Clause | None) -> models.Filter | None:
    """The server's filter for a clause; None means everything."""
    if clause is None:
        return None
    condition = _condition(clause)
    return condition if isinstance(condition, models.Filter) else models.Filter(must=[condition])


def _condition(clause: Clause) -> models.FieldCondition | models.HasIdCondition | models.Filter:
    match clause:
        case Match(field, (value,)):
            return models.FieldCondition(key=field, match=models.MatchValue(value=value))
        case Match(field, values):
            # Values of one match are of one type, which the checker cannot see.
            return models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))  # type: ignore[arg-type]
        case NumberRange(field, low, high):
            return models.FieldCondition(key=field, range=models.Range(gte=low, lte=high))
        case TimeRange(field, low, high):
            return models.FieldCondition(key=field, range=models.DatetimeRange(gte=low, lte=high))
        case WithinCircle(field, lat, lon, radius_m):
            circle = models.GeoRadius(center=models.GeoPoint(lat=lat, lon=lon), radius=radius_m)
            return models.FieldCondition(key=field, geo_radius=circle)
        case WithinArea(field, south, north, west, east):
            area = models.GeoBoundingBox(
                top_left=models.GeoPoint(lat=north, lon=west),
                bottom_right=models.GeoPoint(lat=south, lon=east),
            )
            return models.FieldCondition(key=field, geo_bounding_box=area)
        case HasValue(field):
            empty = models.IsEmptyCondition(is_empty=models.PayloadField(key=field))
            return models.Filter(must_not=[empty])
        case HasId(ids):
            return models.HasIdCondition(has_id=list(ids))
        case Every(clauses):
            return models.Filter(must=[_condition(inner) for inner in clauses])
        case Either(clauses):
            return models.Filter(should=[_condition(inner) for inner in clauses])
        case Never(inner):
            return models.Filter(must_not=[_condition(inner)])
