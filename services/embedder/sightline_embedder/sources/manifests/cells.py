"""From a table's values to metadata: JSON that the index keeps, of the types that are declared."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sightline.index.values import moment
from sightline.payload import FieldType

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_INT64 = 2**63


def json_value(value: Any) -> Any:
    """`value` as JSON: what JSON cannot carry, as NaN and bytes, is None.

    Dates and times become RFC 3339 text (a time without a zone is UTC), decimals floats, whole numbers
    beyond 64 bits text.
    """
    match value:
        case None | bool():
            return value
        case int():
            return value if -_INT64 <= value < _INT64 else str(value)
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value.encode(errors="replace").decode()
        case Decimal():
            return json_value(float(value)) if value.is_finite() else None
        case datetime() | date() | time():
            return _rfc3339(value)
        case UUID():
            return str(value)
        case Mapping():
            return {json_value(str(name)): json_value(inner) for name, inner in value.items()}
        case list() | tuple():
            return [json_value(inner) for inner in value]
        case _:
            return None


def declared(value: Any, fields: Mapping[str, FieldType], name: str) -> Any:
    """`value` of the metadata field `name`, or of those below it, as the type that is declared for it.

    What does not read as one stays as it is: it is kept and shown, and no filter finds it.
    """
    if isinstance(value, dict):
        return {inner: declared(one, fields, f"{name}.{inner}") for inner, one in value.items()}
    if isinstance(value, list):
        return [declared(one, fields, name) for one in value]
    match fields.get(name):
        case FieldType.KEYWORD if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        case FieldType.INTEGER if isinstance(value, float) and value.is_integer() and abs(value) < _INT64:
            return int(value)
        case FieldType() as kind if isinstance(value, str):
            return _read(value.strip(), kind, value)
        case _:
            return value


def _read(text: str, kind: FieldType, otherwise: str) -> Any:
    match kind:
        case FieldType.INTEGER if _INTEGER.fullmatch(text):
            return int(text)
        case FieldType.FLOAT if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
        case FieldType.BOOL:
            return _TRUTH.get(text.lower(), otherwise)
        case FieldType.DATETIME:
            try:
                return _rfc3339(moment(text))
            except ValueError:
                return otherwise
        case _:
            return otherwise


def _rfc3339(value: datetime | date | time) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    try:
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        # In UTC it lies beyond the calendar: it is kept as it is, and no filter finds it.
        return value.isoformat()
    return f"{aware.replace(tzinfo=None).isoformat()}Z"
