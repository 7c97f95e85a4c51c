"""Rows of pictures that fill their width: `web/justified.js`."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_modules import PageModules, page_modules
from playwright.sync_api import Browser

RATIOS = st.lists(st.floats(0.05, 20), max_size=60)
"""Widths over heights, from a narrow strip to a wide one."""


@pytest.fixture(scope="module")
def modules(browser: Browser, page_files: str) -> Iterator[PageModules]:
    with page_modules(browser, page_files) as modules:
        yield modules


@settings(max_examples=300, deadline=None)
@given(RATIOS, st.integers(300, 3000), st.integers(60, 400), st.integers(0, 20))
def test_rows_fill_the_width_with_every_picture_in_order(
    modules: PageModules, ratios: list[float], width: int, height: int, gap: int
) -> None:
    space = {"width": width, "height": height, "gap": gap}
    rows = modules.call("justified.js", "rowsOf", ratios, space)

    edges = [0, *(row["last"] for row in rows)]
    assert [row["first"] for row in rows] == edges[:-1]
    assert all(first < last for first, last in pairwise(edges))
    assert edges[-1] == len(ratios)
    for row in rows:
        shapes = [one / row["height"] for one in row["widths"]]
        assert shapes == pytest.approx(ratios[row["first"] : row["last"]])
    filled = [sum(row["widths"]) + gap * (len(row["widths"]) - 1) for row in rows]
    assert filled[:-1] == pytest.approx([width] * len(filled[:-1]), abs=1)
    assert all(
        row["height"] <= height and one <= width + 1 for row, one in zip(rows[-1:], filled[-1:], strict=True)
    )
