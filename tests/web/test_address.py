"""The address says what the page shows: `web/address.js`."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_modules import PageModules, page_modules
from playwright.sync_api import Browser

FRACTIONS = st.floats(0, 1)
REFERENCES = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["image", "photo"]),
        "id": st.uuids().map(str) | st.text("0123456789abcdef", min_size=16, max_size=16),
        "box": st.none() | st.lists(FRACTIONS, min_size=4, max_size=4),
        "wanted": st.booleans(),
    }
)
CONDITIONS = st.fixed_dictionaries(
    {"field": st.text(max_size=12), "any": st.lists(st.text(max_size=8) | st.integers(-1000, 1000))}
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda trees: st.fixed_dictionaries({"all": st.lists(trees)}) | st.fixed_dictionaries({"not": trees}),
    max_leaves=6,
)
PLACES = st.fixed_dictionaries(
    {
        "view": st.sampled_from(["pictures", "duplicates", "status"]),
        "q": st.text(max_size=40),
        "references": st.lists(REFERENCES, max_size=5),
        "filter": st.none() | FILTERS,
        "sort": st.sampled_from(["-sort_at", "sort_at", "-indexed_at", "indexed_at"]),
        "collection": st.none() | st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True),
        "picture": st.none() | st.uuids().map(str),
    }
)


@pytest.fixture(scope="module")
def modules(browser: Browser, page_files: str) -> Iterator[PageModules]:
    with page_modules(browser, page_files) as modules:
        yield modules


@settings(max_examples=300, deadline=None)
@given(PLACES)
def test_a_place_comes_back_from_its_address(modules: PageModules, place: Any) -> None:
    search = modules.call("address.js", "searchOf", place)

    assert modules.call("address.js", "placeOf", search) == place


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["view", "q", "like", "photo", "filter", "sort", "picture", "other"]),
            st.text(max_size=20)
            | st.sampled_from(["{", "[]", "null", "1", "a@0,0,1", "a@,,,", "@", "a@b@c"]),
        ),
        max_size=6,
    )
)
def test_any_address_is_a_place(modules: PageModules, given: list[tuple[str, str]]) -> None:
    search = modules.page.evaluate("given => `?${new URLSearchParams(given)}`", given)
    place = modules.call("address.js", "placeOf", search)

    assert place["view"] in ("pictures", "duplicates", "status")
    assert place["sort"].removeprefix("-") in ("sort_at", "indexed_at")
    assert all(one["box"] is None or len(one["box"]) == 4 for one in place["references"])
