"""From a table's values to metadata."""

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.index.checks import check_json
from sightline.payload import FieldType
from sightline_embedder.sources.manifests.cells import declared, json_value

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.characters(categories=["Cs"]),
    st.binary(),
    st.decimals(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(value=VALUES)
def test_any_value_becomes_json_that_the_index_keeps(value: Any) -> None:
    converted = json_value(value)

    check_json(converted, "value")
    assert json.loads(json.dumps(converted, allow_nan=False)) == converted


@given(value=VALUES, kind=st.sampled_from(FieldType))
def test_declared_value_is_of_its_type_or_stays_as_it_is(value: Any, kind: FieldType) -> None:
    converted = json_value(value)

    typed = declared(converted, {"field": kind}, "field")

    check_json(typed, "value")
    assert declared(typed, {"field": kind}, "field") == typed
    if not isinstance(converted, str | int | float | list | dict):
        assert typed is converted


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (b"bytes", None),
        (timedelta(1), None),
        (Decimal("12.50"), 12.5),
        (Decimal("NaN"), None),
        (2**63 - 1, 2**63 - 1),
        (2**63, str(2**63)),
        (date(2024, 5, 31), "2024-05-31"),
        (time(14, 30), "14:30:00"),
        (datetime(2024, 5, 31, 14, 30), "2024-05-31T14:30:00Z"),
        (datetime(2024, 5, 31, 14, 30, tzinfo=timezone(timedelta(hours=2))), "2024-05-31T12:30:00Z"),
        (datetime(2024, 5, 31, 14, 30, 0, 250_000, UTC), "2024-05-31T14:30:00.250000Z"),
        (
            datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))),
            "9999-12-31T23:00:00-05:00",
        ),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"a": [1, b"", {"b": float("nan")}]}, {"a": [1, None, {"b": None}]}),
        ("half \ud800", "half ?"),
    ],
)
def test_value_as_json(value: Any, expected: Any) -> None:
    assert json_value(value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (FieldType.INTEGER, "42", 42),
        (FieldType.INTEGER, " -7 ", -7),
        (FieldType.INTEGER, "4.5", "4.5"),
        (FieldType.INTEGER, "1_000", "1_000"),
        (FieldType.INTEGER, "9" * 30, "9" * 30),
        (FieldType.INTEGER, 3.0, 3),
        (FieldType.INTEGER, 3.5, 3.5),
        (FieldType.FLOAT, "12.50", 12.5),
        (FieldType.FLOAT, "1e3", 1000.0),
        (FieldType.FLOAT, "nan", "nan"),
        (FieldType.FLOAT, "1e999", "1e999"),
        (FieldType.FLOAT, "12,50", "12,50"),
        (FieldType.BOOL, "TRUE", True),
        (FieldType.BOOL, "0", False),
        (FieldType.BOOL, "perhaps", "perhaps"),
        (FieldType.DATETIME, "2024-05-31", "2024-05-31T00:00:00Z"),
        (FieldType.DATETIME, "2024-05-31T14:30:00+02:00", "2024-05-31T12:30:00Z"),
        (FieldType.DATETIME, "yesterday", "yesterday"),
        (FieldType.KEYWORD, 1234, "1234"),
        (FieldType.KEYWORD, "007", "007"),
        (FieldType.KEYWORD, True, True),
        (FieldType.INTEGER, ["1", "x"], [1, "x"]),
    ],
)
def test_value_as_its_declared_type(kind: FieldType, value: Any, expected: Any) -> None:
    typed = declared(value, {"field": kind}, "field")

    assert typed == expected
    assert type(typed) is type(expected)


def test_field_below_another_has_its_own_type() -> None:
    fields = {"size.height": FieldType.INTEGER}

    assert declared({"height": "4", "width": "5"}, fields, "size") == {"height": 4, "width": "5"}
    assert declared("007", fields, "height") == "007"
