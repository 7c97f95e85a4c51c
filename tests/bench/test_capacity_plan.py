"""The plans of docs/scale.md are those of the code."""

from pathlib import Path

import pytest
from bench.capacity_plan import LAYOUTS, MODELS, SIZES, markdown, plans, row

from sightline.settings import Precision
from sightline_local.measured_costs import costs_of

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("model", MODELS)
def test_the_tables_of_the_docs_are_what_the_code_says(model: str) -> None:
    written = (DOCS / "scale.md").read_text().splitlines()
    rows = [row(size, costs_of(model, Precision.AUTO), layout) for layout in LAYOUTS for size in SIZES]
    missing = [line for line in markdown(rows) if line not in written]
    assert missing == []


def test_the_plot_shows_all_sizes_in_every_layout_and_precision() -> None:
    found = plans()
    assert len(found["rows"]) == len(MODELS) * len(LAYOUTS) * len(SIZES)
    assert {one["pictures"] for one in found["hours"]} == set(SIZES)
