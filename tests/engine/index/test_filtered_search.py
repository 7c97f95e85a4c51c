"""Which searches count what matches, to compare all of it where it is little, and what others keep."""

import json
from typing import Any

import pytest

from sightline.index.clauses import Clause, clause_of
from sightline.index.filtered_search import candidates, few_places_match
from sightline.index.filters import parse_filter
from sightline.index.tuning import SCANNED_POINTS
from sightline.payload import indexed_fields

NEAR = {"field": "location", "near": {"lat": 48.2, "lon": 16.4, "radius_m": 5_000}}
ACROSS = {"field": "location", "within": {"south": -90, "north": 90, "west": 10, "east": 5}}
TAGGED = {"field": "tags", "eq": "a"}


@pytest.mark.parametrize(
    "filter",
    [NEAR, ACROSS, {"not": NEAR}, {"all": [TAGGED, ACROSS]}, {"any": [TAGGED, {"all": [{"not": NEAR}]}]}],
)
@pytest.mark.parametrize(
    ("matching", "few"), [(0, True), (SCANNED_POINTS, True), (SCANNED_POINTS + 1, False)]
)
def test_places_are_counted(filter: dict[str, Any], matching: int, few: bool) -> None:
    asked: list[Clause] = []

    def count(clause: Clause) -> int:
        asked.append(clause)
        return matching

    clause = clause_of(parse_filter(json.dumps(filter)), indexed_fields({}))
    assert few_places_match(clause, count) is few
    assert asked == [clause]


@pytest.mark.parametrize("filter", [None, TAGGED, {"all": [TAGGED, {"not": TAGGED}]}, {"any": [TAGGED]}])
def test_nothing_else_is_counted(filter: dict[str, Any] | None) -> None:
    def count(clause: Clause) -> int:
        raise AssertionError(clause)

    parsed = None if filter is None else parse_filter(json.dumps(filter))
    assert not few_places_match(clause_of(parsed, indexed_fields({})), count)


@pytest.mark.parametrize(
    ("filter", "exclude", "kept"),
    [(None, [], 400), (None, ["a", "b"], 400), (TAGGED, [], 600), (TAGGED, ["a"], 600)],
)
def test_a_filter_takes_more_candidates(filter: dict[str, Any] | None, exclude: list[str], kept: int) -> None:
    parsed = None if filter is None else parse_filter(json.dumps(filter))
    assert candidates(400, clause_of(parsed, indexed_fields({}), exclude=exclude)) == kept
