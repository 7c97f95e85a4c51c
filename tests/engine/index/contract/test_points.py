"""Points, as every index keeps them: inserted, read, changed and deleted, whoever else does so."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import numpy as np
import pytest
from contract_queries import ABSENT

from sightline.errors import (
    BadRequest,
    CollectionNotFound,
    ImageNotFound,
)
from sightline.index import Point, VectorIndex
from sightline.index.filters import parse_filter
from sightline.payload import GeoPoint, Source

MakePoint = Callable[..., Point]

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_vector_without_direction_is_refused(
    index: VectorIndex, collection: str, make_point: MakePoint, value: float
) -> None:
    with pytest.raises(BadRequest, match="no direction"):
        index.insert(collection, [make_point(1, vector=np.full(16, value, np.float32))])


def test_all_points_are_read_in_order_of_their_ids(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    points = sorted((make_point(number) for number in range(11)), key=lambda point: point.id)
    index.insert(collection, points)
    found, after = [], None
    while page := index.scroll(collection, after=after, limit=4):
        assert len(page) <= 4
        found += page
        after = page[-1].id
    assert [(one.id, one.payload) for one in found] == [(one.id, one.payload) for one in points]
    for read, point in zip(found, points, strict=True):
        np.testing.assert_allclose(read.vector, point.vector, atol=1e-6)


def test_reading_goes_on_after_a_point_that_is_gone(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    points = sorted((make_point(number) for number in range(6)), key=lambda point: point.id)
    index.insert(collection, points)
    index.delete(collection, [points[2].id])
    assert [one.id for one in index.scroll(collection, after=points[2].id, limit=10)] == [
        one.id for one in points[3:]
    ]
    assert index.scroll(collection, after=points[-1].id, limit=10) == []
    with pytest.raises(BadRequest):
        index.scroll(collection, after=None, limit=0)
    with pytest.raises(BadRequest):
        index.scroll(collection, after="first", limit=1)
    with pytest.raises(CollectionNotFound):
        index.scroll("absent", after=None, limit=1)


def test_insert_leaves_what_is_there(index: VectorIndex, collection: str, make_point: MakePoint) -> None:
    first = make_point(1, tags=("first",))
    index.insert(collection, [first])
    index.insert(collection, [make_point(1, tags=("second",), vector=make_point(9).vector), make_point(2)])
    found = index.retrieve(collection, [first.id], with_vectors=True)[first.id]
    assert found.payload == first.payload
    assert found.vector == pytest.approx(first.vector, abs=1e-6)
    assert index.count(collection) == 2


def test_a_payload_comes_back_as_it_was(index: VectorIndex, collection: str, make_point: MakePoint) -> None:
    metadata = {"π": ["ü", None, {"deep": [1, -(2**63), 2**63 - 1, 0.1, True]}], "a.b": "dot", "": {}}
    point = make_point(
        1,
        metadata=metadata,
        tags=("b", "a", "b"),
        taken_at=None,
        camera="Example Mk II",
        location=GeoPoint(lat=-33.5, lon=151.25),
        sources={"k": Source(kind="folder", uri="file:///ü")},
    )
    index.insert(collection, [point])
    assert index.retrieve(collection, [point.id])[point.id].payload == point.payload


@pytest.mark.parametrize("value", [float("nan"), 2**63, "\ud800", object(), {1: 2}])
def test_metadata_that_json_cannot_carry_is_refused(
    index: VectorIndex, collection: str, make_point: MakePoint, value: object
) -> None:
    with pytest.raises(BadRequest, match="metadata"):
        index.insert(collection, [make_point(1, metadata={"odd": value})])
    assert index.count(collection) == 0


def test_an_id_that_is_no_uuid_is_refused(index: VectorIndex, collection: str, make_point: MakePoint) -> None:
    with pytest.raises(BadRequest, match="'7'"):
        index.insert(collection, [replace(make_point(1), id="7")])


def test_nothing_is_inserted_from_nothing(index: VectorIndex, collection: str) -> None:
    index.insert(collection, [])
    assert index.retrieve(collection, []) == {}
    assert index.count(collection) == 0


def test_retrieve_leaves_out_what_is_not_there(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    points = [make_point(number) for number in range(600)]
    index.insert(collection, points)
    asked = [point.id for point in points] + [ABSENT, "7", "no-uuid", points[0].id.upper()]
    found = index.retrieve(collection, asked)
    assert set(found) == {point.id for point in points}
    assert found[points[0].id].vector is None


def test_sources_of_concurrent_writers_are_all_kept(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    points = [make_point(number) for number in range(4)]
    index.insert(collection, points)

    def add(writer: int) -> None:
        source = Source(kind="folder", uri=f"file:///{writer}")
        index.add_sources(collection, {point.id: {f"{writer:016x}": source} for point in points})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    found = index.retrieve(collection, [point.id for point in points])
    for point in points:
        sources = found[point.id].payload.sources
        assert {source.uri for source in sources.values()} == {f"file:///{n}" for n in range(40)}


def test_a_source_is_replaced_under_its_key_only(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    old, new = (Source(kind="folder", uri=uri) for uri in ("file:///old", "file:///new"))
    point = make_point(1, sources={"a": old, "b": old}, tags=("kept",))
    index.insert(collection, [point])
    index.add_sources(collection, {ABSENT: {"x": new}, point.id: {"a": new}})
    found = index.retrieve(collection, [point.id, ABSENT])
    assert found[point.id].payload.sources == {"a": new, "b": old}
    assert found[point.id].payload.tags == ("kept",)
    assert set(found) == {point.id}


def test_a_point_goes_with_its_last_source(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    one = Source(kind="folder", uri="file:///one")
    points = [
        make_point(1, sources={"0123456789abcdef": one, "b": one}, tags=("kept",)),
        make_point(2, sources={"0123456789abcdef": one}),
        make_point(3, sources={"b": one}),
        make_point(4, sources={"b": one}),
    ]
    index.insert(collection, points)
    first, second, third, untouched = (point.id for point in points)
    removed = {
        first: ["0123456789abcdef", "unknown"],
        second: ["0123456789abcdef"],
        third: ["unknown"],
        ABSENT: ["b"],
        "no-uuid": ["b"],
    }
    for _ in range(2):
        assert index.remove_sources(collection, removed) == {second, ABSENT}

    left = index.retrieve(collection, [point.id for point in points])
    assert set(left) == {first, third, untouched}
    assert left[first].payload.sources == {"b": one}
    assert left[first].payload.tags == ("kept",)
    assert left[third].payload == points[2].payload
    assert index.remove_sources(collection, {}) == set()
    with pytest.raises(CollectionNotFound):
        index.remove_sources("nowhere", removed)


def test_a_source_added_while_the_last_one_goes_is_kept_or_known_to_be_lost(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    old, new = (Source(kind="folder", uri=f"file:///{name}") for name in ("old", "new"))
    rounds = [make_point(number, sources={"old": old}) for number in range(30)]
    index.insert(collection, rounds)
    start = Barrier(2)

    def add(point: Point) -> bool:
        start.wait()
        index.add_sources(collection, {point.id: {"new": new}})
        return point.id in index.retrieve(collection, [point.id])

    def remove(point: Point) -> bool:
        start.wait()
        return point.id in index.remove_sources(collection, {point.id: ["old"]})

    with ThreadPoolExecutor(2) as pool:
        for point in rounds:
            adding, removing = pool.submit(add, point), pool.submit(remove, point)
            kept, gone = adding.result(), removing.result()
            left = index.retrieve(collection, [point.id])
            assert kept is (point.id in left) is not gone
            assert not kept or left[point.id].payload.sources == {"new": new}


def test_tags_and_metadata_are_replaced_and_found(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    point = make_point(1, tags=("old",), metadata={"sku": "A-1", "gone": 1})
    index.insert(collection, [point, make_point(2)])
    index.set_payload(collection, point.id, {"tags": ["new", "newer"], "metadata": {"sku": "A-17"}})
    found = index.retrieve(collection, [point.id])[point.id].payload
    assert (found.tags, found.metadata) == (("new", "newer"), {"sku": "A-17"})
    assert found.sha256 == point.payload.sha256
    for text, count in {
        '{"field": "tags", "eq": "newer"}': 1,
        '{"field": "tags", "eq": "old"}': 0,
        '{"field": "metadata.sku", "any": ["A-17", "A-1"]}': 1,
    }.items():
        assert index.count(collection, parse_filter(text)) == count


@pytest.mark.parametrize("name", ["sha256", "space", "sources", "first_indexed", "unheard_of"])
def test_what_a_point_is_cannot_be_set(
    index: VectorIndex, collection: str, make_point: MakePoint, name: str
) -> None:
    index.insert(collection, [make_point(1)])
    with pytest.raises(BadRequest, match=name):
        index.set_payload(collection, make_point(1).id, {name: "other"})


@pytest.mark.parametrize("values", [{"tags": "one"}, {"metadata": []}, {"width": "wide"}])
def test_what_would_make_a_point_unreadable_cannot_be_set(
    index: VectorIndex, collection: str, make_point: MakePoint, values: dict[str, object]
) -> None:
    index.insert(collection, [make_point(1)])
    with pytest.raises(BadRequest, match="cannot be"):
        index.set_payload(collection, make_point(1).id, values)


@pytest.mark.parametrize("point_id", [ABSENT, "no-uuid"])
def test_nothing_is_set_on_an_absent_point(index: VectorIndex, collection: str, point_id: str) -> None:
    with pytest.raises(ImageNotFound, match=point_id):
        index.set_payload(collection, point_id, {"tags": []})
    assert index.count(collection) == 0


def test_delete(index: VectorIndex, collection: str, make_point: MakePoint) -> None:
    points = [make_point(number) for number in range(3)]
    index.insert(collection, points)
    index.delete(collection, [points[0].id, ABSENT, "no-uuid"])
    index.delete(collection, [points[0].id])
    index.delete(collection, [])
    assert set(index.retrieve(collection, [point.id for point in points])) == {
        point.id for point in points[1:]
    }
    assert index.count(collection) == 2
    index.insert(collection, points)
    assert index.count(collection) == 3
