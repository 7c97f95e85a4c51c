"""Searches that are kept to compare models by: few, and none that takes much memory."""

from sightline.index.filters import parse_filter
from sightline_api.search.models import SearchRequest, TextPart
from sightline_api.search.request_sample import RequestSample

LONG = parse_filter('{"field": "tags", "any": [' + ",".join(f'"{"x" * 500}{n}"' for n in range(20)) + "]}")


def search(text: str, **more: object) -> SearchRequest:
    return SearchRequest(query=[TextPart(text=text)], **more)  # type: ignore[arg-type]


def test_each_search_is_kept_once_by_collection() -> None:
    sample = RequestSample(8)
    for _ in range(2):
        sample.offer("images", search("a cat"))
    sample.offer("other", search("a dog"))
    assert sample.of("images") == [search("a cat")]


def test_searches_with_long_filters_are_left_out() -> None:
    sample = RequestSample(8)
    sample.offer("images", search("a cat", filter=LONG))
    assert sample.of("images") == []


def test_nothing_is_kept_of_a_collection_that_is_gone() -> None:
    sample = RequestSample(8)
    sample.offer("images", search("a cat"))
    sample.forget("images")
    assert sample.of("images") == []
