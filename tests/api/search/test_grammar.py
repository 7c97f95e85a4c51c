"""The short form of a query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import BadRequest
from sightline_api.search.grammar import EXCLUDED_WEIGHT, parse_query


def parsed(text: str) -> list[tuple[str, float]]:
    return [(part.text, part.weight) for part in parse_query(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a cat", [("a cat", 1.0)]),
        ("  a   cat ", [("a cat", 1.0)]),
        ('cat "red sofa"', [("cat", 1.0), ("red sofa", 1.0)]),
        ("cat -dog", [("cat", 1.0), ("dog", EXCLUDED_WEIGHT)]),
        ('cat -"a red sofa" sleeping', [("cat sleeping", 1.0), ("a red sofa", EXCLUDED_WEIGHT)]),
        ("wi-fi router", [("wi-fi router", 1.0)]),
        ('"unclosed phrase', [("unclosed phrase", 1.0)]),
        ("- cat", [("- cat", 1.0)]),
    ],
)
def test_words_phrases_and_exclusions(text: str, parts: list[tuple[str, float]]) -> None:
    assert parsed(text) == parts


@pytest.mark.parametrize("text", ["-dog", '-"a b"', '""', "   ", '-""'])
def test_a_query_for_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="nothing to look for"):
        parse_query(text)


def test_beside_a_picture_a_text_may_only_exclude() -> None:
    assert [(part.text, part.weight) for part in parse_query("-dog", beside_others=True)] == [
        ("dog", EXCLUDED_WEIGHT)
    ]
    assert parse_query("  ", beside_others=True) == []


@given(st.text(max_size=60))
def test_any_text_gives_parts_or_a_refusal(text: str) -> None:
    try:
        parts = parse_query(text)
    except BadRequest:
        return
    assert any(part.weight > 0 for part in parts)
    assert all(part.text.strip() for part in parts)
