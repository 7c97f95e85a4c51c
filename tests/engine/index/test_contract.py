"""What every VectorIndex does, whatever engine is below."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import get_args

import numpy as np
import pytest

from sightline.errors import (
    BadRequest,
    CollectionNotFound,
    FieldNotIndexed,
    ImageNotFound,
    SpaceMismatch,
)
from sightline.index import CollectionSpec, Page, Point, ScoredPoint, SearchQuery, SortKey, VectorIndex
from sightline.index.filters import parse_filter
from sightline.payload import FieldType, GeoPoint, Source
from sightline.settings import Precision, Quantization

MakePoint = Callable[..., Point]

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]

ABSENT = "00000000-0000-4000-8000-000000000000"


def query(point: Point, limit: int = 10, **options: object) -> SearchQuery:
    return SearchQuery(vector=point.vector, space=point.payload.space, limit=limit, **options)


def test_a_collection_is_made_once(index: VectorIndex, spec: CollectionSpec, make_point: MakePoint) -> None:
    made = index.ensure_collection(spec)
    index.insert(spec.name, [make_point(1)])
    again = index.ensure_collection(spec)
    assert (made.space, made.dimension, dict(made.fields), made.points) == ("space-a", 16, spec.fields, 0)
    assert again == replace(made, points=1) == index.collection(spec.name)
    assert again in index.collections()


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


def test_search_is_by_cosine_best_first(index: VectorIndex, collection: str, make_point: MakePoint) -> None:
    points = [make_point(number) for number in range(200)]
    index.insert(collection, points)
    wanted = make_point(1000)
    cosines = {point.id: float(point.vector @ wanted.vector) for point in points}
    expected = sorted(cosines, key=lambda one: -cosines[one])

    hits = index.search(collection, query(wanted, limit=25))
    assert [hit.id for hit in hits] == expected[:25]
    assert [hit.score for hit in hits] == pytest.approx([cosines[hit.id] for hit in hits], abs=1e-4)
    assert hits[0].payload.sha256 == next(p for p in points if p.id == hits[0].id).payload.sha256

    pages = [index.search(collection, query(wanted, 10, offset=offset)) for offset in (0, 10, 20)]
    assert [hit.id for page in pages for hit in page] == expected[:30]
    assert [hit.id for hit in index.search(collection, query(wanted, 5, exact=True))] == expected[:5]
    assert index.search(collection, query(wanted, 10, offset=500)) == []


def test_search_leaves_out_what_is_excluded_or_filtered(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    points = [make_point(number, width=number) for number in range(20)]
    index.insert(collection, points)
    wanted = points[0]
    even = parse_filter('{"field": "width", "any": [0, 2, 4, 6]}')
    found = index.search(collection, query(wanted, filter=even, exclude=[wanted.id, "no-uuid", points[2].id]))
    assert {hit.payload.width for hit in found} == {4, 6}
    assert wanted.id not in {hit.id for hit in index.search(collection, query(wanted, exclude=[wanted.id]))}
    assert index.search(collection, query(wanted))[0].id == wanted.id


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (-1, 0), (1, -1)])
def test_a_page_that_cannot_be_is_refused(
    index: VectorIndex, collection: str, make_point: MakePoint, limit: int, offset: int
) -> None:
    with pytest.raises(BadRequest, match="page"):
        index.search(collection, query(make_point(1), limit, offset=offset))


def listed(index: VectorIndex, collection: str, sort: SortKey, limit: int) -> list[Page]:
    pages = [index.browse(collection, sort=sort, limit=limit, cursor=None, filter=None)]
    while (cursor := pages[-1].next_cursor) is not None:
        assert len(cursor) < 200
        pages.append(index.browse(collection, sort=sort, limit=limit, cursor=cursor, filter=None))
        assert len(pages) < 100
    return pages


@pytest.mark.parametrize("sort", get_args(SortKey))
@pytest.mark.parametrize("limit", [7, 10, 50, 51])
def test_browse_neither_skips_nor_repeats_equal_times(
    index: VectorIndex, collection: str, make_point: MakePoint, sort: SortKey, limit: int
) -> None:
    field = sort.removeprefix("-")
    # Given ten points of distinct times on both sides of fifty of the same time
    ticks = [*range(-10, 0), *([0] * 50), *range(1, 11)]
    noon = getattr(make_point(0).payload, field)
    points = [
        make_point(number, **{field: noon + timedelta(microseconds=tick)})
        for number, tick in enumerate(ticks)
    ]
    index.insert(collection, points)

    pages = listed(index, collection, sort, limit)

    found = [point for page in pages for point in page.points]
    assert len(found) == len({point.id for point in found}) == 70
    times = [getattr(point.payload, field) for point in found]
    assert times == sorted(times, reverse=sort.startswith("-"))
    assert [len(page.points) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert found == [point for page in listed(index, collection, sort, limit) for point in page.points]


def test_browse_goes_on_while_pictures_come_in(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    index.insert(collection, [make_point(number) for number in range(20)])
    first = index.browse(collection, sort="-sort_at", limit=12, cursor=None, filter=None)
    later = first.points[0].payload.sort_at + timedelta(days=1)
    index.insert(collection, [make_point(number, sort_at=later) for number in range(100, 110)])
    index.delete(collection, [first.points[-1].id])
    second = index.browse(collection, sort="-sort_at", limit=12, cursor=first.next_cursor, filter=None)
    assert len({point.id for point in [*first.points, *second.points]}) == 20
    assert second.next_cursor is None


def test_browse_filters(index: VectorIndex, collection: str, make_point: MakePoint) -> None:
    index.insert(collection, [make_point(number, width=number % 3) for number in range(30)])
    wanted = parse_filter('{"field": "width", "eq": 1}')
    first = index.browse(collection, sort="sort_at", limit=6, cursor=None, filter=wanted)
    second = index.browse(collection, sort="sort_at", limit=6, cursor=first.next_cursor, filter=wanted)
    assert {point.payload.width for point in [*first.points, *second.points]} == {1}
    assert (len(first.points), len(second.points), second.next_cursor) == (6, 4, None)


def test_a_foreign_cursor_is_refused(index: VectorIndex, collection: str, make_point: MakePoint) -> None:
    index.insert(collection, [make_point(number) for number in range(3)])
    page = index.browse(collection, sort="sort_at", limit=1, cursor=None, filter=None)
    everything = parse_filter('{"all": []}')
    for cursor in ("", "x", "ü", "W10=", page.next_cursor[:-4] if page.next_cursor else ""):
        with pytest.raises(BadRequest, match="cursor"):
            index.browse(collection, sort="sort_at", limit=1, cursor=cursor, filter=None)
    with pytest.raises(BadRequest, match="cursor"):
        index.browse(collection, sort="-sort_at", limit=1, cursor=page.next_cursor, filter=None)
    with pytest.raises(BadRequest, match="cursor"):
        index.browse(collection, sort="sort_at", limit=1, cursor=page.next_cursor, filter=everything)


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


def test_values_are_counted_under_a_filter(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    tags = [("sea", "sun"), ("sea",), ("snow", "sea"), ("sun",), ()]
    index.insert(
        collection,
        [
            make_point(number, tags=one, width=number % 2, metadata={"public": number < 2})
            for number, one in enumerate(tags)
        ],
    )

    def counted(field: str, filter: str | None = None, limit: int = 10) -> list[tuple[object, int]]:
        tree = parse_filter(filter) if filter else None
        return [(one.value, one.count) for one in index.facet(collection, field, limit=limit, filter=tree)]

    assert counted("tags") == [("sea", 3), ("sun", 2), ("snow", 1)]
    assert counted("tags", limit=1) == [("sea", 3)]
    assert counted("width", '{"field": "tags", "eq": "sea"}') == [(0, 2), (1, 1)]
    assert counted("metadata.public") == [(False, 3), (True, 2)]
    assert counted("tags", '{"field": "format", "eq": "gif"}') == []


def test_values_that_cannot_be_counted_are_refused(index: VectorIndex, collection: str) -> None:
    with pytest.raises(FieldNotIndexed):
        index.facet(collection, "metadata.nothing", limit=10)
    for field in ("taken_at", "metadata.ratio", "location"):
        with pytest.raises(BadRequest, match="not counted"):
            index.facet(collection, field, limit=10)


def test_a_sample_is_of_different_stored_vectors(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    assert index.sample(collection, 10).shape == (0, 16)
    points = [make_point(number) for number in range(40)]
    index.insert(collection, points)
    stored = np.stack([point.vector for point in points])

    for limit, expected in ((10, 10), (40, 40), (1000, 40)):
        sample = index.sample(collection, limit)
        assert sample.shape == (expected, 16)
        nearest = (sample @ stored.T).argmax(1)
        np.testing.assert_allclose(sample, stored[nearest], atol=1e-6)
        assert len(set(nearest.tolist())) == expected

    taken = {tuple(index.sample(collection, 5).round(4).ravel().tolist()) for _ in range(20)}
    assert len(taken) > 1


def test_neighbours_are_the_nearest_other_points(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    points = [make_point(number) for number in range(150)]
    index.insert(collection, points)
    vectors = np.stack([point.vector for point in points])
    missing = make_point(1000).id

    found = index.neighbours(collection, [*(point.id for point in points), missing, "no-uuid"], 5)

    assert found.keys() == {point.id for point in points}
    for point, scores in zip(points, vectors @ vectors.T, strict=True):
        nearest = [number for number in np.argsort(-scores) if points[number].id != point.id][:5]
        near = found[point.id]
        assert [one.id for one in near] == [points[number].id for number in nearest]
        np.testing.assert_allclose([one.score for one in near], scores[nearest], atol=1e-5)
    assert index.neighbours(collection, [], 5) == {}
    assert index.neighbours(collection, [missing], 5) == {}
    with pytest.raises(BadRequest):
        index.neighbours(collection, [points[0].id], 0)


def scored(index: VectorIndex, collection: str, query: SearchQuery) -> dict[str, float]:
    return {hit.id: hit.score for hit in index.search(collection, query)}


def test_diversity_puts_likenesses_behind(index: VectorIndex, collection: str, make_point: MakePoint) -> None:
    points = [make_point(number) for number in range(30)]
    near = points[0].vector + 0.05 * points[1].vector
    twin = make_point(100, vector=(near / np.linalg.norm(near)).astype(np.float32))
    index.insert(collection, [*points, twin])

    plain = list(scored(index, collection, query(points[0], 31)))
    spread = scored(index, collection, query(points[0], 31, diversity=0.7))
    alone = list(scored(index, collection, query(points[0], 31, diversity=1e-6)))

    assert plain[:2] == [points[0].id, twin.id]
    assert next(iter(spread)) == points[0].id
    assert list(spread).index(twin.id) > 5
    assert alone[:2] == plain[:2]
    for point in (*points, twin):
        assert spread[point.id] == pytest.approx(float(point.vector @ points[0].vector), abs=1e-4)
    pages = [
        list(scored(index, collection, query(points[0], 10, diversity=0.7, offset=start)))
        for start in (0, 10, 20)
    ]
    assert [one for page in pages for one in page] == list(spread)[:30]


def test_the_best_score_is_that_of_the_nearest_example(
    index: VectorIndex, collection: str, make_point: MakePoint
) -> None:
    points = [make_point(number) for number in range(40)]
    index.insert(collection, points)
    near = np.stack([points[3].vector, points[7].vector])
    far = np.stack([points[11].vector])

    for negatives in (None, far):
        found = scored(index, collection, query(points[0], 40, positives=near, negatives=negatives))
        expected = {}
        for point in points:
            best = float((near @ point.vector).max())
            worst = -1.0 if negatives is None else float((negatives @ point.vector).max())
            expected[point.id] = (best > worst, best if best > worst else -worst)
        assert found == pytest.approx({one: score for one, (_, score) in expected.items()}, abs=1e-4)
        in_order = [(near, round(score, 4)) for near, score in (expected[one] for one in found)]
        assert in_order == sorted(in_order, reverse=True)
        assert {points[3].id, points[7].id} == set(list(found)[:2])
    with pytest.raises(BadRequest, match="something to be like"):
        index.search(collection, query(points[0], 10, positives=near[:0]))


@pytest.fixture
def versions(index: VectorIndex, spec: CollectionSpec) -> Iterator[CollectionSpec]:
    """A second version of a collection, with vectors of another space and dimension."""
    index.ensure_collection(spec)
    other = replace(spec, name=f"{spec.name}.two", space="space-b", dimension=4)
    yield other
    with suppress(CollectionNotFound):
        index.drop_collection(other.name)


def _search(index: VectorIndex, name: str, spec: CollectionSpec) -> Sequence[ScoredPoint]:
    return index.search(name, SearchQuery(np.ones(spec.dimension, np.float32), spec.space, 5))


def test_a_collection_stands_for_one_version_at_a_time(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec, make_point: Callable[..., Point]
) -> None:
    first = index.collection(spec.name)
    index.insert(first.version, [make_point(1)])
    made = index.ensure_collection(versions)
    index.insert(made.version, [make_point(2, vector=np.ones(4, np.float32), space="space-b")])

    assert (made.name, made.version, made.space, made.dimension) == (
        versions.name,
        versions.name,
        "space-b",
        4,
    )
    assert index.collection(spec.name) == replace(first, points=1), "nobody has switched yet"
    index.switch(spec.name, versions.name)

    now = index.collection(spec.name)
    assert (now.name, now.version, now.space, now.points) == (spec.name, versions.name, "space-b", 1)
    assert [hit.id for hit in _search(index, now.version, versions)] == [make_point(2).id]
    assert [hit.id for hit in _search(index, first.version, spec)] == [make_point(1).id]
    assert index.retrieve(spec.name, [make_point(1).id, make_point(2).id]).keys() == {make_point(2).id}
    index.switch(spec.name, first.version)
    assert index.collection(spec.name).version == first.version


def test_only_what_collections_stand_for_is_listed(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec
) -> None:
    index.ensure_collection(versions)
    listed = [info.name for info in index.collections()]
    assert (spec.name in listed, versions.name in listed) == (True, False)
    index.switch(spec.name, versions.name)
    (found,) = (info for info in index.collections() if info.name == spec.name)
    assert found.version == versions.name


def test_a_version_keeps_what_it_is_made_with(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec
) -> None:
    asked = replace(versions, quantization=Quantization.INT8, precision=Precision.F32)
    for info in (index.ensure_collection(asked), index.collection(versions.name)):
        assert (info.quantization, info.precision) == (Quantization.INT8, Precision.F32)


def test_dropping_a_version_leaves_the_collection_and_the_other_way_round(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec
) -> None:
    first = index.collection(spec.name).version
    index.ensure_collection(versions)
    index.switch(spec.name, versions.name)
    index.drop_collection(first)
    assert index.collection(spec.name).version == versions.name
    index.drop_collection(spec.name)
    for gone in (spec.name, versions.name, first):
        with pytest.raises(CollectionNotFound):
            index.collection(gone)
    assert index.ensure_collection(spec).points == 0


def test_nothing_is_switched_to_what_is_not_there(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec
) -> None:
    before = index.collection(spec.name)
    with pytest.raises(CollectionNotFound):
        index.switch(spec.name, versions.name)
    index.ensure_collection(versions)
    with pytest.raises(CollectionNotFound):
        index.switch("not-there", versions.name)
    assert index.collection(spec.name) == before


def test_a_collection_is_not_missing_for_a_moment_while_it_is_switched(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec
) -> None:
    first = index.collection(spec.name).version
    index.ensure_collection(versions)
    seen: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        switching = pool.submit(
            lambda: [index.switch(spec.name, one) for _ in range(20) for one in (versions.name, first)]
        )
        while not switching.done():
            seen.append(index.collection(spec.name, counted=False).version)
        switching.result()
    assert set(seen) <= {first, versions.name}
