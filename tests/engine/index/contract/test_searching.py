"""Searches, counts, samples and neighbours, as every index answers them."""

from collections.abc import Callable

import numpy as np
import pytest
from contract_queries import query

from sightline.errors import (
    BadRequest,
    FieldNotIndexed,
)
from sightline.index import Point, SearchQuery, VectorIndex
from sightline.index.filters import parse_filter

MakePoint = Callable[..., Point]

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]


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


@pytest.mark.parametrize(
    ("bounds", "matching"),
    [
        ('"gte": 1e20', []),
        ('"lte": 1e20', [-(2**63), 5, 2**63 - 1]),
        ('"gte": -1e300', [-(2**63), 5, 2**63 - 1]),
        ('"lte": -1e300', []),
        ('"gte": -1e300, "lte": 1e300', [-(2**63), 5, 2**63 - 1]),
        ('"gte": 4.5, "lte": 1e300', [5, 2**63 - 1]),
    ],
)
def test_bounds_of_whole_numbers_may_be_larger_than_any_of_them(
    index: VectorIndex, collection: str, make_point: MakePoint, bounds: str, matching: list[int]
) -> None:
    stocks = (-(2**63), 5, 2**63 - 1)
    index.insert(collection, [make_point(one, metadata={"stock": stock}) for one, stock in enumerate(stocks)])
    filter = parse_filter(f'{{"field": "metadata.stock", {bounds}}}')

    assert index.count(collection, filter) == len(matching)
    found = index.search(collection, query(make_point(1000), filter=filter))
    assert sorted(hit.payload.metadata["stock"] for hit in found) == matching
    assert len(index.facet(collection, "metadata.stock", limit=10, filter=filter)) == len(matching)


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
