"""Collections, as every index keeps them: made once, apart from each other, and gone when dropped."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from contract_queries import query

from sightline.errors import (
    BadRequest,
    CollectionNotFound,
    FieldNotIndexed,
    SpaceMismatch,
)
from sightline.index import CollectionSpec, Point, VectorIndex
from sightline.index.filters import parse_filter
from sightline.payload import FieldType, Source
from sightline.settings import Quantization

MakePoint = Callable[..., Point]

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]


def test_a_collection_is_made_once(index: VectorIndex, spec: CollectionSpec, make_point: MakePoint) -> None:
    made = index.ensure_collection(spec)
    index.insert(spec.name, [make_point(1)])
    again = index.ensure_collection(spec)
    assert (made.space, made.dimension, dict(made.fields), made.points) == ("space-a", 16, spec.fields, 0)
    assert again == replace(made, points=1) == index.collection(spec.name)
    assert again in index.collections()


def test_one_is_told_from_another_that_had_its_name(index: VectorIndex, spec: CollectionSpec) -> None:
    first = index.ensure_collection(spec)
    index.drop_collection(spec.name)
    second = index.ensure_collection(spec)

    assert first.version == second.version
    assert len({"", first.uid, second.uid}) == 3
    wider = replace(spec, fields={**spec.fields, "metadata.maker": FieldType.KEYWORD})
    assert index.ensure_collection(wider).uid == second.uid == index.collection(spec.name, counted=False).uid


def test_collections_may_be_made_at_the_same_time(index: VectorIndex, spec: CollectionSpec) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: index.ensure_collection(spec), range(4)))
    assert [info.name for info in made] == [spec.name] * 4


def test_a_new_field_is_indexed_later(
    index: VectorIndex, spec: CollectionSpec, make_point: MakePoint
) -> None:
    index.ensure_collection(spec)
    index.insert(spec.name, [make_point(1, metadata={"maker": "Zeiss"})])
    wanted = parse_filter('{"field": "metadata.maker", "eq": "Zeiss"}')
    with pytest.raises(FieldNotIndexed):
        index.count(spec.name, wanted)
    info = index.ensure_collection(replace(spec, fields={**spec.fields, "metadata.maker": FieldType.KEYWORD}))
    assert info.fields["metadata.maker"] == "keyword"
    assert index.count(spec.name, wanted) == 1


def test_a_field_cannot_change_its_type(index: VectorIndex, spec: CollectionSpec) -> None:
    index.ensure_collection(spec)
    with pytest.raises(BadRequest, match=r"'width'.*integer"):
        index.ensure_collection(replace(spec, fields={"width": FieldType.KEYWORD}))


@pytest.mark.parametrize("name", ["", "../up", "Caps", "a" * 64, ".hidden"])
def test_a_bad_name_is_refused(index: VectorIndex, spec: CollectionSpec, name: str) -> None:
    with pytest.raises(BadRequest, match="cannot name a collection"):
        index.ensure_collection(replace(spec, name=name))


def test_another_space_is_refused_everywhere(
    index: VectorIndex, spec: CollectionSpec, make_point: MakePoint
) -> None:
    index.ensure_collection(spec)
    with pytest.raises(SpaceMismatch, match=r"space-a.*space-b"):
        index.ensure_collection(replace(spec, space="space-b"))
    stranger = make_point(2, space="space-b")
    with pytest.raises(SpaceMismatch):
        index.insert(spec.name, [make_point(1), stranger])
    with pytest.raises(SpaceMismatch) as caught:
        index.search(spec.name, query(stranger))
    assert caught.value.collection == spec.name
    assert index.count(spec.name) == 0


def test_another_dimension_is_refused(
    index: VectorIndex, spec: CollectionSpec, make_point: MakePoint
) -> None:
    index.ensure_collection(spec)
    with pytest.raises(BadRequest, match="16 dimensions"):
        index.ensure_collection(replace(spec, dimension=17))
    longer = make_point(1, vector=np.ones(17, np.float32))
    with pytest.raises(BadRequest, match="shape"):
        index.insert(spec.name, [longer])
    with pytest.raises(BadRequest, match="shape"):
        index.search(spec.name, query(longer))


def test_a_collection_keeps_the_quantization_it_was_made_with(
    index: VectorIndex, spec: CollectionSpec, make_point: MakePoint
) -> None:
    assert index.ensure_collection(spec).quantization is None
    index.drop_collection(spec.name)
    made = index.ensure_collection(replace(spec, quantization=Quantization.INT8))
    assert made.quantization is Quantization.INT8
    index.insert(spec.name, [make_point(1)])
    # Whoever brings pictures in asks for none.
    for asked in (None, Quantization.TURBO4):
        assert index.ensure_collection(replace(spec, quantization=asked)).quantization is Quantization.INT8
    wider = replace(spec, fields={**spec.fields, "metadata.maker": FieldType.KEYWORD})
    assert index.ensure_collection(wider).quantization is Quantization.INT8
    [listed] = [info for info in index.collections() if info.name == spec.name]
    assert listed.quantization is Quantization.INT8
    assert [hit.id for hit in index.search(spec.name, query(make_point(1)))] == [make_point(1).id]


def test_the_same_point_in_two_collections_is_two(
    index: VectorIndex, spec: CollectionSpec, make_point: MakePoint
) -> None:
    other = replace(spec, name=f"{spec.name}-b", fields={**spec.fields, "metadata.maker": FieldType.KEYWORD})
    point = make_point(1, tags=("first",), sources={"k": Source(kind="folder", uri="file:///a")})
    try:
        for one in (spec, other):
            index.ensure_collection(one)
            index.insert(one.name, [point])
        index.set_payload(other.name, point.id, {"tags": ["second"]})
        index.add_sources(other.name, {point.id: {"l": Source(kind="folder", uri="file:///b")}})
        [kept] = index.retrieve(spec.name, [point.id]).values()
        assert (kept.payload.tags, set(kept.payload.sources)) == (("first",), {"k"})
        assert [one.value for one in index.facet(spec.name, "tags", limit=9)] == ["first"]
        with pytest.raises(FieldNotIndexed, match=r"metadata\.maker"):
            index.count(spec.name, parse_filter('{"field": "metadata.maker", "exists": true}'))
        index.delete(spec.name, [point.id])
        assert index.count(other.name) == 1
        assert index.neighbours(spec.name, [point.id], 1) == {}
        assert list(index.search(spec.name, query(point))) == []
    finally:
        index.drop_collection(other.name)
    assert index.count(spec.name) == 0


def test_a_dropped_collection_is_gone_and_can_be_made_anew(
    index: VectorIndex, spec: CollectionSpec, make_point: MakePoint
) -> None:
    index.ensure_collection(spec)
    index.insert(spec.name, [make_point(1)])
    index.drop_collection(spec.name)
    with pytest.raises(CollectionNotFound):
        index.search(spec.name, query(make_point(1)))
    assert spec.name not in {info.name for info in index.collections()}
    made = index.ensure_collection(replace(spec, space="space-b", dimension=4))
    assert (made.space, made.dimension, made.points) == ("space-b", 4, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda index, _: index.collection("nowhere"),
        lambda index, _: index.drop_collection("nowhere"),
        lambda index, point: index.insert("nowhere", [point]),
        lambda index, _: index.insert("nowhere", []),
        lambda index, point: index.retrieve("nowhere", [point.id]),
        lambda index, point: index.add_sources("nowhere", {point.id: {}}),
        lambda index, point: index.set_payload("nowhere", point.id, {"tags": []}),
        lambda index, point: index.delete("nowhere", [point.id]),
        lambda index, point: index.search("nowhere", query(point)),
        lambda index, _: index.browse("nowhere", sort="sort_at", limit=1, cursor=None, filter=None),
        lambda index, _: index.count("nowhere"),
    ],
)
def test_an_unknown_collection(
    index: VectorIndex, make_point: MakePoint, call: Callable[[VectorIndex, Point], object]
) -> None:
    with pytest.raises(CollectionNotFound, match="'nowhere'"):
        call(index, make_point(1))


def test_a_field_without_index_is_refused(index: VectorIndex, collection: str, make_point: MakePoint) -> None:
    wanted = parse_filter('{"all": [{"not": {"field": "metadata.colour", "eq": "red"}}]}')
    with pytest.raises(FieldNotIndexed) as caught:
        index.search(collection, query(make_point(1), filter=wanted))
    assert caught.value.field == "metadata.colour"
    assert "metadata.sku" in caught.value.indexed
    with pytest.raises(FieldNotIndexed):
        index.count(collection, wanted)
    with pytest.raises(BadRequest, match="'width'"):
        index.count(collection, parse_filter('{"field": "width", "eq": "wide"}'))


def test_ping(index: VectorIndex) -> None:
    index.ping()
