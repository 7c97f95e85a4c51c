"""The definition of the filter tree, in plain Python over one payload as JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import asin, cos, radians, sin, sqrt
from typing import Any

from sightline.index.filters import All, Condition, Filter, Not, Some
from sightline.index.geo import Area
from sightline.payload import FieldType


def matches(payload: dict[str, Any], filter: Filter, fields: Mapping[str, FieldType]) -> bool:
    """Whether a payload with these indexed fields is one that the filter asks for."""
    match filter:
        case Not(negated=inner):
            return not matches(payload, inner, fields)
        case All(all=parts):
            return all(matches(payload, part, fields) for part in parts)
        case Some(any=parts):
            return any(matches(payload, part, fields) for part in parts)
        case Condition():
            value: Any = payload
            for step in filter.field.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if filter.exists is not None:
                return (value not in (None, [])) == filter.exists
            values = value if isinstance(value, list) else [value]
            return any(_holds(one, filter, fields[filter.field]) for one in values)


def _holds(value: Any, condition: Condition, kind: FieldType) -> bool:
    if kind is FieldType.GEO:
        return isinstance(value, dict) and set(value) == {"lat", "lon"} and _is_there(value, condition)
    wanted = condition.any if condition.eq is None else (condition.eq,)
    if kind is FieldType.DATETIME:
        return isinstance(value, str) and value.startswith("20") and _is_then(value, condition, wanted)
    if kind in (FieldType.INTEGER, FieldType.FLOAT):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
    elif not isinstance(value, str if kind is FieldType.KEYWORD else bool):
        return False
    if wanted is not None:
        return value in wanted
    return (condition.gte is None or value >= condition.gte) and (
        condition.lte is None or value <= condition.lte
    )


def _is_then(value: str, condition: Condition, wanted: Any) -> bool:
    time = datetime.fromisoformat(value)
    spans: Any = [(condition.gte, condition.lte)] if wanted is None else map(_whole_of, wanted)
    return any((low is None or low <= time) and (high is None or time <= high) for low, high in spans)


def _whole_of(text: str) -> tuple[datetime, datetime]:
    """A date is the whole of that day, a time is itself."""
    start = datetime.fromisoformat(text)
    start = start.replace(tzinfo=UTC) if start.tzinfo is None else start
    length = timedelta(days=1, microseconds=-1) if len(text) == 10 else timedelta()
    return start, start + length


def _is_there(place: Any, condition: Condition) -> bool:
    if circle := condition.near:
        return _metres_between(place, {"lat": circle.lat, "lon": circle.lon}) <= circle.radius_m
    area = condition.within
    assert area is not None
    # Longitudes 180 and -180 are one meridian.
    meridian = (-180.0, 180.0) if abs(place["lon"]) == 180 else (place["lon"],)
    return area.south <= place["lat"] <= area.north and any(_is_between(lon, area) for lon in meridian)


def _is_between(lon: float, area: Area) -> bool:
    if area.west <= area.east:
        return area.west <= lon <= area.east
    return lon >= area.west or lon <= area.east


def _metres_between(one: Any, other: Any) -> float:
    """The haversine formula on a sphere of the earth's mean radius."""
    here, there = radians(one["lat"]), radians(other["lat"])
    east = radians(other["lon"] - one["lon"])
    a = sin((there - here) / 2) ** 2 + cos(here) * cos(there) * sin(east / 2) ** 2
    return 2 * 6_371_008.8 * asin(min(1.0, sqrt(a)))
