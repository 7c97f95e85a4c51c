"""Pictures that nobody searched for: under their months, in the order that was chosen."""

from collections.abc import Callable
from datetime import datetime

import httpx
from photo_collection import Photos
from playwright.sync_api import expect
from visit import Visit


def months_of(api: httpx.Client, time: str) -> list[str]:
    """The months of the pictures by one of their times, the earliest first."""
    items = api.get("/v1/images", params={"limit": 200, "sort": time}).json()["items"]
    moments = (datetime.fromisoformat(item[time]).astimezone() for item in items)
    return list(dict.fromkeys(f"{moment:%B %Y}" for moment in moments))


def test_pictures_stand_under_their_months_newest_first(
    opened: Callable[..., Visit], api: httpx.Client, photos: Photos
) -> None:
    visit = opened()
    expect(visit.tiles).to_have_count(photos.count)
    months = visit.wall.get_by_role("heading")

    expect(months).to_have_text(["June 2024", "July 2022", "July 2021", "July 2020", "July 2019"])
    expect(visit.tiles.last).to_have_accessible_name("china.jpg")
    visit.button("newest first").click()
    expect(months).to_have_text(["July 2019", "July 2020", "July 2021", "July 2022", "June 2024"])
    visit.shows("china.jpg", "flower.jpg", "rocket.jpg", "retina.jpg")
    assert "sort=sort_at" in visit.page.url

    with visit.page.expect_response("**/v1/images?sort=indexed_at*"):
        visit.page.get_by_role("combobox", name="In order of").select_option("time added")
    expect(visit.page).to_have_url(f"{visit.record.origin}/?sort=indexed_at")
    # All were added just now, whenever they were taken.
    expect(months).to_have_text(months_of(api, "indexed_at"))
    visit.page.go_back()
    visit.shows("china.jpg", "flower.jpg")
