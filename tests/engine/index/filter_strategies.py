"""Random payloads as pictures carry them, and random filter trees to ask them with, as JSON."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from sightline.payload import FieldType, indexed_fields

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
ASKED = ("tags", "format", "camera", "width", "taken_at", "location", *(f"metadata.{name}" for name in KINDS))
"""The fields whose values differ from payload to payload."""
RANGES = {"gte": ("gte",), "lte": ("lte",), "between": ("gte", "lte")}
OPERATORS = {
    FieldType.KEYWORD: ("eq", "any", "exists"),
    FieldType.INTEGER: ("eq", "any", *RANGES, "exists"),
    FieldType.FLOAT: ("eq", "any", *RANGES, "exists"),
    FieldType.DATETIME: ("eq", "any", *RANGES, "exists"),
    FieldType.BOOL: ("eq", "any", "exists"),
    FieldType.GEO: ("near", "within", "exists"),
}

texts = st.sampled_from(["a", "b", "A", "", "1", "true", "ü", "a.b"])
whole = st.integers(-3, 3) | st.sampled_from([2**53 - 1, -(2**53) + 1])
reals = st.sampled_from([-1.5, -1.0, 0.0, 0.1, 0.5, 1.0, 2.5, 1e300])
days = st.dates(date(2024, 5, 30), date(2024, 6, 2))
instants = st.builds(
    lambda day, seconds: datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds),
    days,
    st.sampled_from([0, 0.000001, 43200, 86399.999999]),
)
# Apart by far more than rounding, so that no place lies on the edge of a circle. Qdrant's geo index has no
# cell for the poles themselves.
latitudes = st.sampled_from([-89.9, -50.5, -33.87, 0.0, 48.2, 48.21, 71.0, 89.9])
longitudes = st.sampled_from([-180.0, -179.9, -100.5, -70.0, 0.0, 16.37, 16.4, 151.21, 179.9, 180.0])
places = st.builds(lambda lat, lon: {"lat": lat, "lon": lon}, latitudes, longitudes)
circles = st.builds(
    lambda place, radius_m: place | {"radius_m": radius_m},
    places,
    st.sampled_from([10.0, 1_000.0, 5_000.0, 3_000_000.0, 12_000_000.0]),
)
areas = st.builds(
    lambda parallels, west, east: {
        "south": min(parallels),
        "north": max(parallels),
        "west": west,
        "east": east,
    },
    st.tuples(*[latitudes | st.sampled_from([-90.0, 10.5, 48.205, 90.0])] * 2),
    *[longitudes | st.sampled_from([-1.5, 16.385, 100.5])] * 2,
)
stored: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.KEYWORD: texts,
    FieldType.INTEGER: whole,
    FieldType.FLOAT: reals | st.integers(-2, 2),
    FieldType.DATETIME: instants.map(datetime.isoformat),
    FieldType.BOOL: st.booleans(),
    FieldType.GEO: places,
}
asked = stored | {FieldType.DATETIME: days.map(str) | instants.map(datetime.isoformat)}
bounds = {
    FieldType.INTEGER: whole | reals | st.just(-1e300),
    FieldType.FLOAT: reals | st.integers(-2, 2),
    FieldType.DATETIME: asked[FieldType.DATETIME],
}


def metadata_values(kind: FieldType) -> st.SearchStrategy[Any]:
    """What people write into metadata: values of the type, lists of them, and what has no business there."""
    strays = st.none() | st.just({"x": 1}) | (st.just("") if kind is FieldType.KEYWORD else st.just("a"))
    return stored[kind] | st.lists(stored[kind], max_size=3) | strays


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, Any]:
    """What differs between the payloads of two pictures."""
    flat = {name: metadata_values(kind) for name, kind in KINDS.items() if "." not in name}
    metadata = draw(st.fixed_dictionaries({}, optional=flat))
    if draw(st.booleans()):
        metadata["deep"] = {"sku": draw(metadata_values(FieldType.KEYWORD))}
    return {
        "metadata": metadata,
        "tags": tuple(draw(st.lists(texts, max_size=3))),
        "format": draw(texts),
        "camera": draw(st.none() | texts),
        "width": draw(st.integers(0, 3)),
        "taken_at": draw(st.none() | instants),
        "location": draw(st.none() | places),
        "sort_at": draw(instants),
    }


def conditions(kind: FieldType, operator: str) -> st.SearchStrategy[dict[str, Any]]:
    """Conditions on any field of one type."""
    match operator:
        case "exists":
            tests: Any = {"exists": st.booleans()}
        case "near":
            tests = {"near": circles}
        case "within":
            tests = {"within": areas}
        case "eq":
            tests = {"eq": asked[kind]}
        case "any":
            tests = {"any": st.lists(asked[kind], min_size=1, max_size=3)}
        case _:
            tests = dict.fromkeys(RANGES[operator], bounds[kind])
    fields = st.sampled_from([field for field in ASKED if FIELDS[field] is kind])
    return st.fixed_dictionaries({"field": fields, **tests})


trees: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.one_of([conditions(kind, operator) for kind, some in OPERATORS.items() for operator in some]),
    lambda inner: (
        st.builds(lambda one: {"not": one}, inner)
        | st.builds(lambda some: {"any": some}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda some: {"all": some}, st.lists(inner, max_size=3))
    ),
    max_leaves=5,
)
