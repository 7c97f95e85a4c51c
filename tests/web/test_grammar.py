"""The page reads a query as the API does: `web/grammar.js` beside `sightline_api.search.grammar`."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_modules import PageModules, page_modules
from playwright.sync_api import Browser

from sightline_api.search.grammar import parse_query

EXAMPLES = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
QUERIES = st.text(max_size=40) | st.text('ab-" \t\n\x1c\x85\xa0\u2003\ufeff\N{GRINNING FACE}', max_size=40)


@pytest.fixture(scope="module")
def modules(browser: Browser, page_files: str) -> Iterator[PageModules]:
    with page_modules(browser, page_files) as modules:
        yield modules


def meant(parts: Any) -> list[tuple[str, float]]:
    return [(part["text"], part["weight"]) for part in parts]


def spaced(text: str) -> str:
    return " ".join(text.split())


@EXAMPLES
@given(QUERIES)
def test_it_gives_the_parts_that_the_api_gives(modules: PageModules, query: str) -> None:
    parts = [(part.text, part.weight) for part in parse_query(query, beside_others=True)]

    assert meant(modules.call("grammar.js", "parse", query)) == parts


@EXAMPLES
@given(QUERIES, st.randoms(use_true_random=False))
def test_what_is_left_without_a_part_are_the_others(modules: PageModules, query: str, chance: Any) -> None:
    parts = modules.call("grammar.js", "parse", query)
    if not parts:
        return
    gone = chance.choice(parts)
    left = modules.call("grammar.js", "parse", modules.call("grammar.js", "without", query, gone))

    wanted = [(spaced(text), weight) for text, weight in meant(part for part in parts if part is not gone)]
    assert [(spaced(text), weight) for text, weight in meant(left)] == wanted


@EXAMPLES
@given(QUERIES, st.randoms(use_true_random=False))
def test_a_part_that_is_turned_round_has_the_other_sign(
    modules: PageModules, query: str, chance: Any
) -> None:
    parts = modules.call("grammar.js", "parse", query)
    if not parts:
        return
    turned = chance.choice(parts)
    found = modules.call("grammar.js", "parse", modules.call("grammar.js", "turnedRound", query, turned))

    signs = [(spaced(part["text"]), (part["weight"] > 0) != (part is turned)) for part in parts]
    assert sorted((spaced(part["text"]), part["weight"] > 0) for part in found) == sorted(signs)
