"""The groups of duplicates on the page: those of the kind that is chosen, and no other."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Route, expect
from visit import Visit


@pytest.fixture
def groups(api: httpx.Client) -> dict[str, Any]:
    """A page of groups, as the API gives them, with more to come."""
    images = api.get("/v1/images", params={"limit": 4}).json()["items"]
    return {
        "computed_at": "2024-06-01T12:00:00Z",
        "items": [{"images": images[:2]}, {"images": images[2:]}],
        "next_cursor": "the second page",
    }


def test_groups_of_another_kind_are_gone_when_one_is_chosen(
    opened: Callable[..., Visit], groups: dict[str, Any]
) -> None:
    visit = opened("/web/icon.svg")
    visit.page.route("**/v1/duplicates?*", lambda route: route.fulfill(json=groups))
    visit.open("/?view=duplicates")
    main = visit.page.get_by_role("main")
    keep = main.get_by_role("button", name="Keep this one")
    expect(keep).to_have_count(4)
    held: list[Route] = []
    visit.page.route("**/v1/duplicates?*", lambda route: held.append(route))
    with visit.page.expect_request("**/v1/duplicates?kind=semantic*"):
        visit.page.get_by_role("radio", name="Show the same").check()

    expect(main).to_contain_text("Loading…")
    expect(keep).to_have_count(0)
    expect(visit.button("More groups")).to_have_count(0)
    held[0].fulfill(json=groups | {"items": groups["items"][:1], "next_cursor": None})
    expect(keep).to_have_count(2)
