"""What a filter means to an engine: a few clauses over typed values, translated once per adapter."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from sightline.index.filters import All, Condition, Filter, Not, Some, check_fields
from sightline.index.geo import Area, open_boxes
from sightline.index.values import LARGEST_STORED, SMALLEST_STORED, moment
from sightline.payload import FieldType


class Match(msgspec.Struct, frozen=True, tag=True):
    """The field has one of these values: texts, or whole numbers, or a single bool."""

    field: str
    values: tuple[str | int | bool, ...]


class NumberRange(msgspec.Struct, frozen=True, tag=True):
    """The field lies between two numbers, ends included; None leaves an end open."""

    field: str
    low: float | None
    high: float | None


class TimeRange(msgspec.Struct, frozen=True, tag=True):
    """The field lies between two times, ends included; None leaves an end open."""

    field: str
    low: datetime | None = None
    high: datetime | None = None


class WithinCircle(msgspec.Struct, frozen=True, tag=True):
    """The field is a place at most `radius_m` metres away from another."""

    field: str
    lat: float
    lon: float
    radius_m: float


class WithinArea(msgspec.Struct, frozen=True, tag=True):
    """The field is a place between two latitudes and two longitudes, in degrees, ends left out; with `west`
    over `east` across longitude 180."""

    field: str
    south: float
    north: float
    west: float
    east: float


class HasValue(msgspec.Struct, frozen=True, tag=True):
    """The field is there, not null and not an empty list."""

    field: str


class HasId(msgspec.Struct, frozen=True, tag=True):
    """The point has one of these ids."""

    ids: tuple[str, ...]


class Every(msgspec.Struct, frozen=True, tag=True):
    """All clauses hold; an empty one holds always."""

    clauses: "tuple[Clause, ...]" = ()


class Either(msgspec.Struct, frozen=True, tag=True):
    """At least one of the clauses holds."""

    clauses: "tuple[Clause, ...]"


class Never(msgspec.Struct, frozen=True, tag=True):
    """The clause does not hold."""

    clause: "Clause"


Clause: TypeAlias = (
    Match | NumberRange | TimeRange | WithinCircle | WithinArea | HasValue | HasId | Every | Either | Never
)


def clause_of(
    filter: Filter | None, indexed: Mapping[str, FieldType], *, exclude: Sequence[str] = ()
) -> Clause | None:
    """What `filter` without the points `exclude` means; None means everything.

    Raises FieldNotIndexed and BadRequest as `check_fields` does.
    """
    clauses: list[Clause] = []
    if filter is not None:
        check_fields(filter, indexed)
        clauses.append(_lowered(filter, indexed))
    if exclude:
        clauses.append(Never(HasId(tuple(exclude))))
    match clauses:
        case []:
            return None
        case [only]:
            return only
        case _:
            return Every(tuple(clauses))


def _lowered(filter: Filter, indexed: Mapping[str, FieldType]) -> Clause:
    match filter:
        case All(all=parts):
            return Every(tuple(_lowered(part, indexed) for part in parts))
        case Some(any=parts):
            return Either(tuple(_lowered(part, indexed) for part in parts))
        case Not(negated=inner):
            return Never(_lowered(inner, indexed))
        case Condition():
            return _condition(filter, indexed[filter.field])


def _condition(condition: Condition, kind: FieldType) -> Clause:
    field = condition.field
    if condition.exists is not None:
        return HasValue(field) if condition.exists else Never(HasValue(field))
    if circle := condition.near:
        return WithinCircle(field, circle.lat, circle.lon, circle.radius_m)
    if area := condition.within:
        return _area(field, area)
    return _values(condition, kind)


def _area(field: str, area: Area) -> Clause:
    clauses = tuple(WithinArea(field, box.south, box.north, box.west, box.east) for box in open_boxes(area))
    return clauses[0] if len(clauses) == 1 else Either(clauses)


def _values(condition: Condition, kind: FieldType) -> Clause:
    values = condition.any if condition.eq is None else (condition.eq,)
    if values is None:
        return _range(condition, kind)
    if kind in (FieldType.KEYWORD, FieldType.INTEGER):
        return Match(condition.field, values)  # type: ignore[arg-type]  # check_fields has seen to it
    clauses = tuple(_equals(condition.field, value, kind) for value in values)
    return clauses[0] if len(clauses) == 1 else Either(clauses)


def _equals(field: str, value: bool | int | float | str, kind: FieldType) -> Clause:
    if kind is FieldType.DATETIME:
        return TimeRange(field, moment(str(value)), moment(str(value), day_ends=True))
    if kind is FieldType.FLOAT:
        return NumberRange(field, float(value), float(value))
    return Match(field, (bool(value),))


def _range(condition: Condition, kind: FieldType) -> Clause:
    low, high = condition.gte, condition.lte
    if kind is FieldType.DATETIME:
        return TimeRange(
            condition.field,
            low if isinstance(low, datetime) else None,
            high if isinstance(high, datetime) else None,
        )
    low = None if isinstance(low, datetime) else low
    high = None if isinstance(high, datetime) else high
    if kind is FieldType.INTEGER:
        return _whole_range(condition.field, low, high)
    return NumberRange(condition.field, low, high)


def _whole_range(field: str, low: float | None, high: float | None) -> Clause:
    # The engine would take a larger bound for the largest number it can store, which may be there.
    if (low is not None and low > LARGEST_STORED) or (high is not None and high < SMALLEST_STORED):
        return Never(Every())
    # It would cut the fraction off, so that 1 would be "not less than 1.5".
    low = None if low is None else max(math.ceil(low), SMALLEST_STORED)
    high = None if high is None else min(math.floor(high), LARGEST_STORED)
    return NumberRange(field, low, high)
