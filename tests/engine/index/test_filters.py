"""The filter tree: what is read, what is refused and how, what it says in OpenAPI."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from sightline.errors import BadRequest, FieldNotIndexed
from sightline.index.filters import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    All,
    Condition,
    Filter,
    Not,
    check_fields,
    fields_of,
    filter_json,
    parse_filter,
)
from sightline.payload import FieldType

FIELDS = {f"a.{kind}": kind for kind in FieldType}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["field", "eq", "any", "gte", "lte", "not", "all", "negated"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def nested(depth: int) -> str:
    return '{"not": ' * depth + '{"all": []}' + "}" * depth


@given(JSON)
def test_any_json_is_read_or_refused_with_a_sentence(value: object) -> None:
    # What is refused is refused as BadRequest; any other exception fails the test.
    with suppress(BadRequest):
        read = parse_filter(json.dumps(value))
        assert parse_filter(filter_json(read)) == read


@given(st.text() | st.binary())
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    with pytest.raises(BadRequest):
        parse_filter(text)


def test_the_tree_of_the_contract_is_read() -> None:
    read = parse_filter(
        """{"all": [{"field": "tags", "any": ["holiday"]}, {"field": "taken_at", "gte": "2024-01-01"},
           {"field": "metadata.sku", "eq": "A-17"}, {"not": {"field": "format", "eq": "gif"}}]}"""
    )
    assert read == All(
        all=(
            Condition(field="tags", any=("holiday",)),
            Condition(field="taken_at", gte=datetime(2024, 1, 1, tzinfo=UTC)),
            Condition(field="metadata.sku", eq="A-17"),
            Not(negated=Condition(field="format", eq="gif")),
        )
    )
    assert list(fields_of(read)) == ["tags", "taken_at", "metadata.sku", "format"]


@pytest.mark.parametrize(
    ("bound", "written", "read"),
    [
        ("gte", "2024-05-31", datetime(2024, 5, 31, tzinfo=UTC)),
        ("lte", "2024-05-31", datetime(2024, 5, 31, 23, 59, 59, 999999, UTC)),
        ("lte", "2024-05-31T14:30", datetime(2024, 5, 31, 14, 30, tzinfo=UTC)),
        ("gte", "2024-05-31 14:30:01.25", datetime(2024, 5, 31, 14, 30, 1, 250000, UTC)),
        ("gte", "2024-05-31t14:30:00z", datetime(2024, 5, 31, 14, 30, tzinfo=UTC)),
        ("gte", "2024-05-31T01:30:00+02:00", datetime(2024, 5, 30, 23, 30, tzinfo=UTC)),
        ("gte", 5, 5),
        ("lte", -0.5, -0.5),
    ],
)
def test_bounds(bound: str, written: object, read: object) -> None:
    condition = parse_filter(json.dumps({"field": "a", bound: written}))
    assert getattr(condition, bound) == read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Invalid JSON"),
        ("[]", '"field", "not", "all" or "any"'),
        ("{}", '"field", "not", "all" or "any"'),
        ('{"negated": {"all": []}}', '"field", "not", "all" or "any"'),
        ('{"field": "a"}', "needs one of: eq; any; gte and/or lte"),
        ('{"field": "a", "eq": null}', "needs one of"),
        ('{"field": "a", "eq": 1, "lte": 2}', "needs one of"),
        ('{"field": "a", "any": []}', "at any: "),
        ('{"field": "a", "eq": [1]}', "at eq: expected a text, a number, true or false"),
        ('{"field": "a", "eq": 1e999}', "finite"),
        ('{"field": "a", "eq": 9007199254740992}', "whole numbers go from"),
        ('{"field": "a", "eq": "' + "x" * 1025 + '"}', "1024 characters"),
        ('{"field": "a", "gte": true}', "at gte: "),
        ('{"field": "a", "gte": "soon"}', "'soon' is not a time; write 2024-05-31"),
        ('{"field": "a", "gte": "2024-02-30"}', "is not a time"),
        ('{"field": "a", "gte": "0001-01-01T00:00+14:00"}', "is not a time"),
        ('{"field": "a", "gte": 1, "lte": "2024-01-01"}', "both be numbers or both be times"),
        ('{"field": "a b", "eq": 1}', "at field: "),
        ('{"field": "a", "eq": 1, "boost": 2}', "at boost: "),
        ('{"all": [{"all": []}, {"field": "a"}]}', "at all.1: "),
        ('{"not": {"all": []}, "all": []}', "at all: "),
        (nested(MAX_DEPTH + 1), "nested 8 deep"),
        (nested(5000), "recursion"),
        (json.dumps({"all": [{"all": []}] * MAX_CONDITIONS}), "64 conditions"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_place(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match="The filter cannot be used") as caught:
        parse_filter(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_limits_are_reached() -> None:
    parse_filter(nested(MAX_DEPTH))
    parse_filter(json.dumps({"all": [{"all": []}] * (MAX_CONDITIONS - 1)}))


@pytest.mark.parametrize(
    ("fitting", "kinds"),
    [
        ({"eq": "x"}, {"keyword"}),
        ({"any": ["2024-01-01", "2024-01-02T10:00Z"]}, {"keyword", "datetime"}),
        ({"eq": 1}, {"integer", "float"}),
        ({"eq": 1.5}, {"float"}),
        ({"any": [True]}, {"bool"}),
        ({"any": ["x", 1]}, set()),
        ({"gte": 1}, {"integer", "float"}),
        ({"lte": 1.5}, {"integer", "float"}),
        ({"gte": "2024-01-01"}, {"datetime"}),
    ],
)
def test_values_fit_the_type_of_their_field(fitting: dict[str, object], kinds: set[str]) -> None:
    for field, kind in FIELDS.items():
        condition = parse_filter(json.dumps({"all": [{"not": {"field": field, **fitting}}]}))
        if kind in kinds:
            check_fields(condition, FIELDS)
        else:
            with pytest.raises(BadRequest, match=f"'{field}' is of type {kind}"):
                check_fields(condition, FIELDS)


def test_a_field_without_index() -> None:
    with pytest.raises(FieldNotIndexed) as caught:
        check_fields(Condition(field="b", eq=1), FIELDS)
    assert caught.value.indexed == tuple(FIELDS)


def test_the_schema_describes_the_tree() -> None:
    class Body(BaseModel):
        filter: Filter | None = None

    schema = json.dumps(Body.model_json_schema())
    for name in ("Condition", "Not", "All"):
        assert f'"#/$defs/{name}"' in schema
    assert '"required": ["not"]' in schema
    assert '"format": "date-time"' in schema
