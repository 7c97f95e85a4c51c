from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sightline.index import SearchQuery
from sightline.index.filters import Condition
from sightline_api.search.query_sample import QuerySample

VECTOR = np.ones(4, np.float32) / 2


def query(number: int = 1, **more: object) -> SearchQuery:
    return SearchQuery(VECTOR, "space", limit=number, **more)  # type: ignore[arg-type]


def test_each_search_is_taken_once() -> None:
    sample = QuerySample(8)
    for number in range(5):
        sample.offer("images", query(number))

    taken = [sample.take() for _ in range(6)]

    assert taken.pop() is None
    assert {one.query.limit for one in taken if one} == set(range(5))
    assert {one.collection for one in taken if one} == {"images"}


def test_a_full_sample_stays_as_large_and_gets_newer() -> None:
    sample = QuerySample(8)
    for number in range(4000):
        sample.offer("images", query(number))

    assert len(sample) == 8
    kept = [one.query.limit for _ in range(8) if (one := sample.take())]
    # Each of 3,992 later searches replaces one of eight with probability 1/16.
    assert min(kept) >= 8


def test_many_threads_leave_no_more_than_fit() -> None:
    sample = QuerySample(8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: sample.offer("images", query(number)), range(2000)))

    assert len(sample) == 8


@pytest.mark.parametrize(
    "left_out",
    [
        query(exact=True),
        query(offset=20),
        query(filter=Condition(field="tags", any=tuple(f"{number:01000}" for number in range(5)))),
    ],
)
def test_exact_searches_further_pages_and_huge_filters_are_left_out(left_out: SearchQuery) -> None:
    sample = QuerySample(8)
    sample.offer("images", left_out)
    assert len(sample) == 0

    sample.offer("images", query(filter=Condition(field="tags", eq="holiday")))
    assert len(sample) == 1


def test_a_sample_of_none_keeps_none() -> None:
    sample = QuerySample(0)
    sample.offer("images", query())
    assert sample.take() is None
