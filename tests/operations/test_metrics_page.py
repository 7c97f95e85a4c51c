"""docs/operations/metrics.md lists every metric that there is, as it is, and no other."""

import re
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric

PAGE = Path(__file__).resolve().parents[2] / "docs/operations/metrics.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*)\|", re.MULTILINE)


def listed(*headings: str) -> dict[str, tuple[str, set[str]]]:
    """Type and labels of the metrics under some headings."""
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    return {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for section in sections
        if section.startswith(headings)
        for name, kind, labels in ROW.findall(section)
    }


@pytest.mark.parametrize(
    ("fixture", "heading"), [("api_families", "Of the api\n"), ("embedder_families", "Of an embedder\n")]
)
def test_the_page_and_the_registry_agree(request: pytest.FixtureRequest, fixture: str, heading: str) -> None:
    families: dict[str, Metric] = request.getfixturevalue(fixture)
    told = {
        name: (family.type, {label for one in family.samples for label in one.labels} - {"le"})
        for name, family in families.items()
    }

    assert told == listed(heading, "Of both\n")
