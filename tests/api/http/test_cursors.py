"""Cursors belong to one request and survive nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline_api.http.cursors import make_cursor, read_cursor
from sightline_api.http.problems import ApiError


@given(st.integers() | st.text(), st.lists(st.integers() | st.text()))
def test_position_comes_back(position: int | str, request: list[int | str]) -> None:
    assert read_cursor(make_cursor(position, request), request) == position


def test_cursor_of_another_request_is_refused() -> None:
    cursor = make_cursor(3, ["a cat"])
    with pytest.raises(ApiError) as caught:
        read_cursor(cursor, ["a dog"])
    assert (caught.value.status, caught.value.code) == (400, "cursor_mismatch")


@given(st.text(max_size=40))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ApiError):
        read_cursor(text, ["a cat"])
