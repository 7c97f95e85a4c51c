"""The typed filter tree of the API.

A condition names a payload field (`tags`, `taken_at`, `metadata.sku`, …):

    {"field": "tags", "any": ["holiday", "beach"]}       has one of these values
    {"field": "format", "eq": "jpeg"}                    equals (for a list: contains)
    {"field": "taken_at", "gte": "2024-01-01", "lte": …}  lies in a range, ends included
    {"field": "location", "near": {"lat": 48.2, "lon": 16.4, "radius_m": 5000}}
    {"field": "location", "within": {"south": 46.4, "north": 49.0, "west": 9.5, "east": 17.2}}
    {"field": "camera", "exists": true}                  has a value at all, not null and not an empty list

and conditions combine as {"all": […]}, {"any": […]} and {"not": …}. An empty `all` matches everything. A
field that a picture does not have matches no condition but `"exists": false`. Times are RFC 3339; a time
without a zone is UTC, and a date alone means the whole of that day.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from sightline.errors import BadRequest, FieldNotIndexed
from sightline.index.geo import Area, Circle
from sightline.index.values import LowerBound, Scalar, UpperBound, bound_fits, scalar_fits
from sightline.payload import FieldType

MAX_DEPTH = 8
"""How many `all`, `any` and `not` may enclose a condition."""
MAX_CONDITIONS = 64
"""How many conditions, `all`, `any` and `not` a filter may have together."""
MAX_VALUES = 256
"""How many values `any` may list."""

FIELD_PATTERN = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"


class Condition(BaseModel):
    """A test of one payload field: `eq`, `any`, a range of `gte` and `lte`, `near`, `within` or `exists`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: Annotated[str, Field(pattern=FIELD_PATTERN, max_length=200, examples=["tags", "metadata.sku"])]
    eq: Annotated[Scalar | None, Field(description="equals; of a list: contains")] = None
    any: Annotated[
        tuple[Scalar, ...] | None,
        Field(min_length=1, max_length=MAX_VALUES, description="equals one of these"),
    ] = None
    gte: Annotated[LowerBound | None, Field(description="not less than")] = None
    lte: Annotated[UpperBound | None, Field(description="not greater than; a date alone means its end")] = (
        None
    )
    near: Annotated[Circle | None, Field(description="of a place: lies in a circle")] = None
    within: Annotated[Area | None, Field(description="of a place: lies in an area")] = None
    exists: Annotated[bool | None, Field(description="has a value, or has none; null and [] are none")] = None

    @model_validator(mode="after")
    def _tests_one_thing(self) -> Self:
        ranged = self.gte is not None or self.lte is not None
        others = (self.eq, self.any, self.near, self.within, self.exists)
        if ranged + sum(other is not None for other in others) != 1:
            raise ValueError(
                f"the condition on '{self.field}' needs one of: eq; any; gte and/or lte; near; within; exists"
            )
        both = self.gte is not None and self.lte is not None
        if both and isinstance(self.gte, datetime) != isinstance(self.lte, datetime):
            raise ValueError(f"gte and lte of '{self.field}' must both be numbers or both be times")
        return self


class Not(BaseModel):
    """Matches what the filter inside does not match."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True)

    negated: Annotated["Filter", Field(validation_alias="not", serialization_alias="not")]

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        _check_bounds(self)
        return self


class All(BaseModel):
    """Matches what every filter inside matches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    all: Annotated[tuple["Filter", ...], Field(max_length=MAX_CONDITIONS)]

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        _check_bounds(self)
        return self


class Some(BaseModel):
    """Matches what at least one of the filters inside matches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    any: Annotated[tuple["Filter", ...], Field(min_length=1, max_length=MAX_CONDITIONS)]

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        _check_bounds(self)
        return self


def _kind(value: Any) -> str | None:
    for key, model in (("field", Condition), ("not", Not), ("all", All), ("any", Some)):
        if isinstance(value, model) or (isinstance(value, dict) and key in value):
            return model.__name__
    return None


Filter: TypeAlias = Annotated[
    Annotated[Condition, Tag("Condition")]
    | Annotated[Not, Tag("Not")]
    | Annotated[All, Tag("All")]
    | Annotated[Some, Tag("Some")],
    Discriminator(
        _kind,
        custom_error_type="filter_kind",
        custom_error_message='a filter is an object with "field", "not", "all" or "any"',
    ),
]
"""Any filter; use it as the type of a field or a parameter."""

Not.model_rebuild()
All.model_rebuild()
Some.model_rebuild()

_TAGS = ("Condition", "Not", "All", "Some")
_ADAPTER: TypeAdapter[Condition | Not | All | Some] = TypeAdapter(Filter)


def parse_filter(json: str | bytes) -> Filter:
    """Parse the JSON of a filter tree; raises BadRequest with a sentence that names the place."""
    try:
        return _ADAPTER.validate_json(json)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"] if part not in _TAGS)
        where = f" at {place}" if place else ""
        reason = first["msg"].removeprefix("Value error, ")
        raise BadRequest(f"The filter cannot be used{where}: {reason}.") from error


def filter_json(filter: Filter) -> bytes:
    """The JSON of a filter tree, as `parse_filter` reads it."""
    return _ADAPTER.dump_json(filter, by_alias=True, exclude_none=True)


def conditions_of(filter: Filter) -> Iterator[Condition]:
    """Every condition of the tree, from left to right."""
    return (node for node, _ in _nodes(filter, 0) if isinstance(node, Condition))


def fields_of(filter: Filter) -> Iterator[str]:
    """The field of every condition, from left to right."""
    return (condition.field for condition in conditions_of(filter))


def check_fields(filter: Filter, indexed: Mapping[str, FieldType]) -> None:
    """Check every condition against the index it would use.

    Raises FieldNotIndexed for a field without one, and BadRequest for an operator or a value that does
    not fit the field's type.
    """
    for condition in conditions_of(filter):
        kind = indexed.get(condition.field)
        if kind is None:
            raise FieldNotIndexed(condition.field, tuple(indexed))
        _check_condition(condition, kind)


def _check_condition(condition: Condition, kind: FieldType) -> None:
    for scalar in (condition.eq, *(condition.any or ())):
        if scalar is not None and not scalar_fits(scalar, kind):
            raise BadRequest(f"Field '{condition.field}' is of type {kind}; {scalar!r} is no such value.")
    for bound in (condition.gte, condition.lte):
        if bound is not None and not bound_fits(bound, kind):
            raise BadRequest(
                f"Field '{condition.field}' is of type {kind}; it cannot be compared with {str(bound)!r} "
                f"by gte or lte."
            )
    if (condition.near or condition.within) and kind is not FieldType.GEO:
        raise BadRequest(f"Field '{condition.field}' is of type {kind}; near and within are for places.")


def _nodes(filter: Filter, depth: int) -> Iterator[tuple[Filter, int]]:
    yield filter, depth
    match filter:
        case Not(negated=inner):
            yield from _nodes(inner, depth + 1)
        case All(all=parts) | Some(any=parts):
            for part in parts:
                yield from _nodes(part, depth + 1)
        case Condition():
            pass


def _check_bounds(filter: "Not | All | Some") -> None:
    for number, (_, depth) in enumerate(_nodes(filter, 0), start=1):
        if depth > MAX_DEPTH:
            raise ValueError(f"filters may be nested {MAX_DEPTH} deep")
        if number > MAX_CONDITIONS:
            raise ValueError(f"a filter may have {MAX_CONDITIONS} conditions")
