"""The panel's choices and the API's filter tree, each made of the other: `web/filters.js`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_modules import PageModules, page_modules
from playwright.sync_api import Browser

_THERE_AND_BACK = """async tree => {
  const { choicesOf, treeOf } = await import("/web/filters.js");
  const choices = choicesOf(tree);
  return choices ? { tree: treeOf(choices) } : null;
}"""
VALUES = st.text(max_size=6) | st.integers(-100, 100)
FIELDS = st.sampled_from(["tags", "format", "sort_at", "metadata.place", "width", "height"])
CHOICES = st.fixed_dictionaries({"any": st.lists(VALUES, min_size=1, max_size=3)}) | st.dictionaries(
    st.sampled_from(["gte", "lte"]), VALUES, min_size=1
)
SIDES = st.integers(1, 4000).map(
    lambda side: {"any": [{"field": "width", "gte": side}, {"field": "height", "gte": side}]}
)
CONDITIONS = st.builds(lambda field, choice: {"field": field, **choice}, FIELDS, CHOICES)
ANYTHING = st.recursive(
    st.none() | st.booleans() | VALUES,
    lambda some: (
        st.lists(some, max_size=3)
        | st.dictionaries(st.sampled_from(["all", "any", "not", "field", "gte", "eq"]), some, max_size=3)
    ),
    max_leaves=8,
)
TREES = st.dictionaries(st.sampled_from(["all", "any", "not", "field"]), ANYTHING, max_size=3)


@pytest.fixture(scope="module")
def modules(browser: Browser, page_files: str) -> Iterator[PageModules]:
    with page_modules(browser, page_files) as modules:
        yield modules


def conditions(tree: Any) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in tree["all"])


@settings(max_examples=200, deadline=None)
@given(st.lists(CONDITIONS, min_size=1, max_size=4, unique_by=lambda one: one["field"]), st.none() | SIDES)
def test_what_the_panel_can_say_it_can_show(modules: PageModules, chosen: list[Any], side: Any) -> None:
    tree = {"all": [*chosen, *([side] if side else [])]}

    shown = modules.page.evaluate(_THERE_AND_BACK, tree)

    assert conditions(shown["tree"]) == conditions(tree)


@settings(max_examples=200, deadline=None)
@given(TREES | st.lists(CONDITIONS | SIDES | ANYTHING, max_size=4).map(lambda all_of: {"all": all_of}))
def test_no_part_of_a_filter_is_lost(modules: PageModules, tree: Any) -> None:
    shown = modules.page.evaluate(_THERE_AND_BACK, tree)

    if shown is not None:
        kept = shown["tree"] or {"all": []}
        assert conditions(kept) == conditions(tree)
