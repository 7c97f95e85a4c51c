"""The filter panel: what is counted in it, and what it leaves of the wall."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from photo_collection import Photos, name_of
from playwright.sync_api import Locator, expect
from visit import Visit


@pytest.fixture
def panel(opened: Callable[..., Visit], photos: Photos) -> Visit:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    visit.button("Filter").click()
    expect(visit.filter).to_be_visible()
    return visit


def values(panel: Visit, group: str) -> Locator:
    return panel.filter.get_by_role("group", name=group, exact=True).get_by_role("checkbox")


def value(panel: Visit, group: str, name: str) -> Locator:
    return panel.filter.get_by_role("group", name=group, exact=True).get_by_role(
        "checkbox", name=re.compile(rf"^{name} \d+$")
    )


def counted(api: httpx.Client, field: str, tree: Any = None) -> list[str]:
    """The values of a field and their counts, as the panel names them."""
    given = {"field": field} | ({"filter": json.dumps(tree)} if tree else {})
    found = api.get("/v1/facets", params=given).json()["values"]
    return [f"{one['value']} {one['count']}" for one in found]


def left(api: httpx.Client, tree: Any) -> list[str]:
    """The names of the files of pictures that match, newest first."""
    items = api.get("/v1/images", params={"limit": 200, "filter": json.dumps(tree)}).json()["items"]
    return [name_of(item) for item in items]


def tree_of(visit: Visit) -> Any:
    """The filter that the address has."""
    given = parse_qs(urlsplit(visit.page.url).query)
    return json.loads(given["filter"][0]) if "filter" in given else None


@pytest.mark.parametrize(
    ("group", "field"), [("Tags", "tags"), ("Format", "format"), ("place", "metadata.place")]
)
def test_values_have_the_counts_of_the_api(panel: Visit, api: httpx.Client, group: str, field: str) -> None:
    wanted = counted(api, field)

    expect(values(panel, group)).to_have_count(len(wanted))
    for box, name in zip(values(panel, group).all(), wanted, strict=True):
        expect(box).to_have_accessible_name(name)


def test_values_of_a_field_widen_and_fields_narrow(panel: Visit, api: httpx.Client) -> None:
    value(panel, "Tags", "space").check()
    panel.shows_only(*left(api, {"field": "tags", "any": ["space"]}))

    value(panel, "Tags", "animal").check()
    panel.shows_only(*left(api, {"field": "tags", "any": ["space", "animal"]}))
    expect(value(panel, "Tags", "texture")).to_be_visible()

    value(panel, "Format", "jpeg").check()
    tree = {"all": [{"field": "tags", "any": ["space", "animal"]}, {"field": "format", "any": ["jpeg"]}]}
    panel.shows_only(*left(api, tree))
    assert tree_of(panel) == tree
    wanted = counted(api, "tags", {"field": "format", "any": ["jpeg"]})
    expect(value(panel, "Tags", "space")).to_have_accessible_name(
        next(one for one in wanted if one.startswith("space "))
    )

    panel.button("Clear the filter").click()
    panel.shows_only(*names_of_all(api))
    assert tree_of(panel) is None


def names_of_all(api: httpx.Client) -> list[str]:
    return [name_of(item) for item in api.get("/v1/images", params={"limit": 200}).json()["items"]]


def test_a_search_keeps_the_filter(panel: Visit, api: httpx.Client) -> None:
    value(panel, "Tags", "space").check()
    panel.shows_only(*left(api, {"field": "tags", "any": ["space"]}))

    panel.search("a cat")

    query = {"query": [{"text": "a cat"}], "filter": {"field": "tags", "any": ["space"]}}
    hits = api.post("/v1/search", json=query).json()["hits"]
    panel.shows_only(*(name_of(hit["image"]) for hit in hits))


def test_metadata_filters(panel: Visit, api: httpx.Client) -> None:
    value(panel, "place", "studio").check()

    panel.shows_only(*left(api, {"field": "metadata.place", "eq": "studio"}))


def test_times_and_sizes_filter(panel: Visit, api: httpx.Client) -> None:
    time = panel.filter.get_by_role("group", name="Time", exact=True)
    time.get_by_label("From").fill("2019-01-01")
    time.get_by_label("To").fill("2020-12-31")
    panel.shows_only("flower.jpg", "china.jpg")
    panel.button("Clear the filter").click()

    panel.filter.get_by_role("combobox", name="At least").select_option("640 px")
    sides = [{"field": side, "gte": 640} for side in ("width", "height")]
    panel.shows_only(*left(api, {"any": sides}))


def test_a_shared_filter_is_shown_in_the_panel(opened: Callable[..., Visit], api: httpx.Client) -> None:
    tree = {"all": [{"field": "tags", "any": ["texture"]}]}
    visit = opened("/?filter=" + json.dumps(tree, separators=(",", ":")))
    visit.shows_only(*left(api, tree))

    visit.button("Filter").click()

    expect(value(visit, "Tags", "texture")).to_be_checked()
    expect(value(visit, "Tags", "space")).not_to_be_checked()
