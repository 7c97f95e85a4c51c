"""A filter means the same to every engine, and the same as a plain reading of its definition.

One collection of 1,000 random payloads is asked with random filters. Half of its points were there when its
HNSW was built, and the others came later: the two kinds of segments keep their payload indexes differently.
(The doubles of a Qdrant server build none.)
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from filter_definition import matches
from filter_strategies import FIELDS, OPERATORS, conditions, payloads, trees
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from sightline.index import CollectionSpec, Point, VectorIndex
from sightline.index.edge.client import EdgeClient
from sightline.index.filters import Filter, Not, parse_filter
from sightline.payload import FieldType

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")

PAYLOADS = 1_000
CONDITIONS = 6
"""How many random conditions each operator on each type is tried with."""


def drawn(strategy: st.SearchStrategy[Any], number: int) -> Sequence[Any]:
    """Random values, the same in every run, so that a filter that failed can be tried again."""
    found: list[Any] = []

    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(strategy)
    def take(value: Any) -> None:
        found.append(value)

    take()
    return found


@pytest.fixture(scope="module")
def points(make_point: Callable[..., Point]) -> Sequence[Point]:
    made = [make_point(number, **payload) for number, payload in enumerate(drawn(payloads(), PAYLOADS))]
    assert len(made) == PAYLOADS
    return made


@dataclass(frozen=True)
class Asked:
    """A collection to ask, and what its points carry."""

    index: VectorIndex
    collection: str
    payloads: Mapping[str, dict[str, Any]] = field(repr=False)

    def check(self, tree: dict[str, Any]) -> int:
        """Compare what the index finds with what the definition says; returns how many match."""
        filter = parse_filter(json.dumps(tree))
        expected = {one for one, payload in self.payloads.items() if matches(payload, filter, FIELDS)}
        others = self.payloads.keys() - expected
        negated = Not(negated=filter)
        assert self.index.count(self.collection, filter) == len(expected), tree
        # Reading is what takes time, so the smaller side is read.
        few, asked = (expected, filter) if len(expected) <= len(others) else (others, negated)
        assert self.read(asked) == few, tree
        return len(expected)

    def read(self, filter: Filter) -> set[str]:
        page = self.index.browse(self.collection, sort="sort_at", limit=PAYLOADS, cursor=None, filter=filter)
        return {point.id for point in page.points}


@pytest.fixture(scope="module")
def asked(index: VectorIndex, points: Sequence[Point]) -> Iterator[Asked]:
    name = f"test-{uuid4().hex}"
    index.ensure_collection(CollectionSpec(name, "space-a", 16, FIELDS))
    half = PAYLOADS // 2
    index.insert(name, points[:half])
    if isinstance(index, EdgeClient):
        index.optimize(name)
        built = retry_if_result(lambda indexed: indexed < half)
        waiting = Retrying(retry=built, stop=stop_after_delay(60), wait=wait_fixed(0.02))
        waiting(lambda: index.collection(name).indexed)
    index.insert(name, points[half:])
    yield Asked(index, name, {point.id: point.payload.model_dump(mode="json") for point in points})
    index.drop_collection(name)


# The client's memory mode takes ten times as long; it is asked with trees alone.
@pytest.mark.parametrize("index", ["edge", "server"], indirect=True)
@pytest.mark.parametrize(
    ("kind", "operator"), [(kind, operator) for kind, some in OPERATORS.items() for operator in some]
)
def test_every_operator_on_every_type(asked: Asked, kind: FieldType, operator: str) -> None:
    found = [asked.check(condition) for condition in drawn(conditions(kind, operator), CONDITIONS)]
    assert any(0 < number < PAYLOADS for number in found)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=trees)
def test_any_tree(asked: Asked, tree: dict[str, Any]) -> None:
    asked.check(tree)


@pytest.mark.parametrize(
    ("south", "north", "west", "east"),
    [
        (-90, 90, -180, 180),
        (-90, 48.2, -180, 180),
        (0, 90, -100.5, 16.4),
        (-33.87, 71, 16.385, 16.37),
        (-89.9, -89.9, 0, 0),
        (-90, 90, 180, -180),
        (-90, 90, 180, 180),
        (90, 90, 0, 180),
        (-90, -90, 0, 180),
    ],
)
def test_areas_at_the_ends_of_the_earth(
    asked: Asked, south: float, north: float, west: float, east: float
) -> None:
    asked.check({"field": "location", "within": {"south": south, "north": north, "west": west, "east": east}})
