"""The values that filters compare with, and which of them fit which type of field."""

import math
import re
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema

from sightline.payload import FieldType

MAX_TEXT = 1_024
"""Longest text of a condition, in characters."""
MAX_INTEGER = 2**53 - 1
"""Largest whole number that JSON readers agree on (RFC 8259, section 6)."""
SMALLEST_STORED, LARGEST_STORED = -(2**63), 2**63 - 1
"""Whole numbers that an engine can keep; metadata may have larger ones than conditions name."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)


def moment(text: str, *, day_ends: bool = False) -> datetime:
    """Read an RFC 3339 time or a date, as an aware datetime in UTC, to the microsecond.

    A time without a zone is UTC. A date alone is its first microsecond, or with `day_ends` its last.
    Raises ValueError with a sentence.
    """
    try:
        if _DATE.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time.max if day_ends else time.min, UTC)
        if _MOMENT.fullmatch(text):
            read = datetime.fromisoformat(text.upper())
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{text[:40]!r} is not a time; write 2024-05-31 or 2024-05-31T14:30:00Z")


def _scalar(value: Any) -> bool | int | float | str:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ValueError(f"a text may have {MAX_TEXT} characters, this one has {len(value)}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("the text holds half of a surrogate pair and is no Unicode text")
        return value
    return _number(value) if not isinstance(value, bool) else value


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a text, a number, true or false")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("expected a finite number")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise ValueError(f"whole numbers go from -{MAX_INTEGER} to {MAX_INTEGER}")
    return value


def _bound(value: Any, *, day_ends: bool) -> int | float | datetime:
    if isinstance(value, str):
        return moment(value, day_ends=day_ends)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return _number(value)


def _lower(value: Any) -> int | float | datetime:
    return _bound(value, day_ends=False)


def _upper(value: Any) -> int | float | datetime:
    return _bound(value, day_ends=True)


_SCALAR_SCHEMA = WithJsonSchema({"type": ["string", "number", "boolean"]})
_BOUND_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "number"},
            {"type": "string", "format": "date-time"},
            {"type": "string", "format": "date"},
        ]
    }
)

Scalar: TypeAlias = Annotated[bool | int | float | str, BeforeValidator(_scalar), _SCALAR_SCHEMA]
LowerBound: TypeAlias = Annotated[int | float | datetime, BeforeValidator(_lower), _BOUND_SCHEMA]
UpperBound: TypeAlias = Annotated[int | float | datetime, BeforeValidator(_upper), _BOUND_SCHEMA]


def scalar_fits(value: bool | int | float | str, kind: FieldType) -> bool:
    """Whether a field of type `kind` can equal `value`."""
    match kind:
        case FieldType.KEYWORD:
            return isinstance(value, str)
        case FieldType.BOOL:
            return isinstance(value, bool)
        case FieldType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case FieldType.FLOAT:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case FieldType.DATETIME:
            return isinstance(value, str) and _is_moment(value)
        case FieldType.GEO:
            return False


def bound_fits(value: int | float | datetime, kind: FieldType) -> bool:
    """Whether a field of type `kind` has an order that `value` takes part in."""
    if isinstance(value, datetime):
        return kind is FieldType.DATETIME
    return kind in (FieldType.INTEGER, FieldType.FLOAT)


def _is_moment(text: str) -> bool:
    try:
        moment(text)
    except ValueError:
        return False
    return True
