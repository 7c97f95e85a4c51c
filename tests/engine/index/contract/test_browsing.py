"""Browsing, as every index does it: in order, and neither skipping nor repeating."""

from collections.abc import Callable
from datetime import timedelta
from typing import get_args

import pytest

from sightline.errors import (
    BadRequest,
)
from sightline.index import Page, Point, SortKey, VectorIndex
from sightline.index.filters import parse_filter

MakePoint = Callable[..., Point]

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]


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
