"""A filter means the same to every engine, and the same as a plain reading of its definition."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import asin, cos, radians, sin, sqrt
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.index import CollectionSpec, Point, VectorIndex
from sightline.index.filters import All, Condition, Filter, Not, Some, parse_filter
from sightline.payload import FieldType, indexed_fields

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")

KINDS = {
    "sku": FieldType.KEYWORD,
    "stock": FieldType.INTEGER,
    "ratio": FieldType.FLOAT,
    "when": FieldType.DATETIME,
    "public": FieldType.BOOL,
    "deep.sku": FieldType.KEYWORD,
    "place": FieldType.GEO,
}
FIELDS = indexed_fields(KINDS)

texts = st.sampled_from(["a", "b", "A", "", "1", "true", "ü", "a.b"])
whole = st.integers(-3, 3) | st.sampled_from([2**53 - 1, -(2**53) + 1])
reals = st.sampled_from([-1.5, -1.0, 0.0, 0.1, 0.5, 1.0, 2.5, 1e300])
days = st.dates(datetime(2024, 5, 30).date(), datetime(2024, 6, 2).date())
instants = st.builds(
    lambda day, seconds: datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds),
    days,
    st.sampled_from([0, 0.000001, 43200, 86399.999999]),
)
stored = {
    FieldType.KEYWORD: texts,
    FieldType.INTEGER: whole,
    FieldType.FLOAT: reals | st.integers(-2, 2),
    FieldType.DATETIME: instants.map(datetime.isoformat),
    FieldType.BOOL: st.booleans(),
}
# Apart by far more than rounding, so that no place lies on the edge of a circle or an area.
places = st.builds(
    lambda lat, lon: {"lat": lat, "lon": lon},
    st.sampled_from([-89.9, -33.87, 0.0, 48.2, 48.21, 71.0]),
    st.sampled_from([-179.9, -70.0, 0.0, 16.37, 16.4, 151.21, 179.9]),
)
circles = st.builds(
    lambda place, radius_m: place | {"radius_m": radius_m},
    places,
    st.sampled_from([10.0, 1_000.0, 5_000.0, 3_000_000.0, 12_000_000.0]),
)
areas = st.builds(
    lambda latitudes, west, east: {
        "south": min(latitudes),
        "north": max(latitudes),
        "west": west,
        "east": east,
    },
    st.tuples(*[st.sampled_from([-90.0, -50.5, 10.5, 48.205, 90.0])] * 2),
    *[st.sampled_from([-180.0, -100.5, -1.5, 16.385, 100.5, 180.0])] * 2,
)
stored[FieldType.GEO] = places
asked = stored | {
    FieldType.DATETIME: days.map(str) | instants.map(datetime.isoformat),
}
bounds = {
    FieldType.INTEGER: whole | reals.filter(lambda value: abs(value) < 1e6),
    FieldType.FLOAT: reals | st.integers(-2, 2),
    FieldType.DATETIME: asked[FieldType.DATETIME],
}


def metadata_values(kind: FieldType) -> st.SearchStrategy[Any]:
    """What people write into metadata: values of the type, lists of them, and what has no business there."""
    strays = st.none() | st.just({"x": 1}) | (st.just("") if kind is FieldType.KEYWORD else st.just("a"))
    return stored[kind] | st.lists(stored[kind], max_size=3) | strays


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, Any]:
    flat = {name: metadata_values(kind) for name, kind in KINDS.items() if "." not in name}
    metadata = draw(st.fixed_dictionaries({}, optional=flat))
    if draw(st.booleans()):
        metadata["deep"] = {"sku": draw(metadata_values(FieldType.KEYWORD))}
    return {
        "metadata": metadata,
        "tags": tuple(draw(st.lists(texts, max_size=3))),
        "format": draw(texts),
        "width": draw(st.integers(0, 3)),
        "taken_at": draw(st.none() | instants),
        "location": draw(st.none() | places),
        "sort_at": draw(instants),
    }


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(
        st.sampled_from(
            ["tags", "format", "width", "taken_at", "location", *(f"metadata.{n}" for n in KINDS)]
        )
    )
    kind = FIELDS[field]
    condition: dict[str, Any] = {"field": field}
    operators = ["near", "within"] if kind is FieldType.GEO else ["eq", "any"]
    operators += ["range"] if kind in bounds else []
    match draw(st.sampled_from([*operators, "exists"])):
        case "exists":
            condition["exists"] = draw(st.booleans())
        case "near":
            condition["near"] = draw(circles)
        case "within":
            condition["within"] = draw(areas)
        case "eq":
            condition["eq"] = draw(asked[kind])
        case "any":
            condition["any"] = draw(st.lists(asked[kind], min_size=1, max_size=3))
        case _:
            ends = draw(st.sampled_from([("gte",), ("lte",), ("gte", "lte")]))
            condition |= {end: draw(bounds[kind]) for end in ends}
    return condition


trees = st.recursive(
    conditions(),
    lambda inner: (
        st.builds(lambda one: {"not": one}, inner)
        | st.builds(lambda some: {"any": some}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda some: {"all": some}, st.lists(inner, max_size=3))
    ),
    max_leaves=5,
)


def matches(payload: dict[str, Any], filter: Filter) -> bool:
    """The definition of the filter tree, over a payload as JSON."""
    match filter:
        case Not(negated=inner):
            return not matches(payload, inner)
        case All(all=parts):
            return all(matches(payload, part) for part in parts)
        case Some(any=parts):
            return any(matches(payload, part) for part in parts)
        case Condition():
            value: Any = payload
            for step in filter.field.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if filter.exists is not None:
                return (value not in (None, [])) == filter.exists
            values = value if isinstance(value, list) else [value]
            return any(holds(one, filter, FIELDS[filter.field]) for one in values)


def holds(value: Any, condition: Condition, kind: FieldType) -> bool:
    if kind is FieldType.GEO:
        return isinstance(value, dict) and set(value) == {"lat", "lon"} and is_there(value, condition)
    wanted = condition.any if condition.eq is None else (condition.eq,)
    if kind is FieldType.DATETIME:
        if not isinstance(value, str) or not value.startswith("20"):
            return False
        time = datetime.fromisoformat(value)
        return any(
            (low is None or low <= time) and (high is None or time <= high)
            for low, high in (
                [(condition.gte, condition.lte)]
                if wanted is None
                else [(read["gte"], read["lte"]) for read in map(whole_of, wanted)]
            )
        )
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


def is_there(place: Any, condition: Condition) -> bool:
    if circle := condition.near:
        return metres_between(place, {"lat": circle.lat, "lon": circle.lon}) <= circle.radius_m
    area = condition.within
    assert area is not None
    west_to_east = (
        area.west <= place["lon"] <= area.east
        if area.west <= area.east
        else place["lon"] >= area.west or place["lon"] <= area.east
    )
    return area.south <= place["lat"] <= area.north and west_to_east


def metres_between(one: Any, other: Any) -> float:
    """The haversine formula on a sphere of the earth's mean radius."""
    here, there = radians(one["lat"]), radians(other["lat"])
    east = radians(other["lon"] - one["lon"])
    a = sin((there - here) / 2) ** 2 + cos(here) * cos(there) * sin(east / 2) ** 2
    return 2 * 6_371_008.8 * asin(min(1.0, sqrt(a)))


def whole_of(text: Any) -> dict[str, datetime]:
    """A date is the whole of that day, a time is itself."""
    start = datetime.fromisoformat(text)
    start = start.replace(tzinfo=UTC) if start.tzinfo is None else start
    length = timedelta(days=1, microseconds=-1) if len(text) == 10 else timedelta()
    return {"gte": start, "lte": start + length}


@pytest.fixture(scope="module")
def filterable(index: VectorIndex) -> Iterator[str]:
    """A collection whose metadata is indexed as `KINDS` says."""
    name = f"test-{uuid4().hex}"
    index.ensure_collection(CollectionSpec(name, "space-a", 16, FIELDS))
    yield name
    index.drop_collection(name)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payloads=st.lists(payloads(), min_size=1, max_size=9), trees=st.lists(trees, min_size=1, max_size=6))
def test_engines_agree_with_the_definition(
    index: VectorIndex,
    filterable: str,
    make_point: Callable[..., Point],
    payloads: list[dict[str, Any]],
    trees: list[dict[str, Any]],
) -> None:
    points = [
        replace(make_point(number, **payload), id=str(uuid4())) for number, payload in enumerate(payloads)
    ]
    index.insert(filterable, points)
    try:
        for tree in trees:
            filter = parse_filter(json.dumps(tree))
            expected = {p.id for p in points if matches(p.payload.model_dump(mode="json"), filter)}
            page = index.browse(filterable, sort="sort_at", limit=10, cursor=None, filter=filter)
            assert {point.id for point in page.points} == expected, tree
            assert index.count(filterable, filter) == len(expected)
    finally:
        index.delete(filterable, [point.id for point in points])
