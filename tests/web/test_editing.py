"""Pictures that are changed on the page: their tags, and whether they stay."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from handed_files import HandedFile, drag, drop
from photo_collection import Photos, name_of
from PIL import Image
from playwright.sync_api import Route, expect
from tenacity import retry, stop_after_delay, wait_fixed
from visit import Visit

NAMES = ("chelsea.png", "coffee.png", "moon.png")
UNDO_MS = 8_000


@pytest.fixture
def collection(fill: Callable[..., str]) -> str:
    return fill(*NAMES)


def pictures(api: httpx.Client, collection: str) -> dict[str, Any]:
    """Those of a collection by the names of their files."""
    items = api.get("/v1/images", params={"collection": collection}).json()["items"]
    return {name_of(item): item for item in items}


@retry(stop=stop_after_delay(30), wait=wait_fixed(0.05))
def await_gone(api: httpx.Client, collection: str, *names: str) -> None:
    """Wait until the API has only the other pictures of NAMES."""
    assert pictures(api, collection).keys() == set(NAMES) - set(names)


@retry(stop=stop_after_delay(30), wait=wait_fixed(0.05))
def await_tags(api: httpx.Client, collection: str, name: str, tags: list[str]) -> None:
    """Wait until the API has these tags of a picture: the page shows them before it has answered."""
    assert pictures(api, collection)[name]["tags"] == tags


def test_tags_are_added_and_removed(opened: Callable[..., Visit], api: httpx.Client, collection: str) -> None:
    visit = opened(f"/?collection={collection}")
    dialog = visit.open_picture("moon.png")
    field = dialog.get_by_role("textbox", name="Add a tag")
    for tag in ("night", "far away"):
        field.fill(tag)
        field.press("Enter")
        expect(visit.button(f"Remove tag {tag}", within=dialog)).to_be_visible()
    await_tags(api, collection, "moon.png", ["night", "far away"])

    visit.button("Remove tag night", within=dialog).click()
    expect(visit.button("Remove tag night", within=dialog)).to_have_count(0)
    await_tags(api, collection, "moon.png", ["far away"])
    visit.page.reload()
    expect(visit.button("Remove tag far away", within=visit.picture)).to_be_visible()


def test_tags_that_are_added_faster_than_the_api_answers_are_all_kept(
    opened: Callable[..., Visit], api: httpx.Client, collection: str
) -> None:
    visit = opened(f"/?collection={collection}")
    dialog = visit.open_picture("moon.png")
    held: list[Route] = []
    visit.page.route("**/v1/images/*", lambda route: held.append(route), times=1)
    field = dialog.get_by_role("textbox", name="Add a tag")
    for tag in ("night", "far away"):
        field.fill(tag)
        field.press("Enter")
        expect(visit.button(f"Remove tag {tag}", within=dialog)).to_be_visible()
    (first,) = held
    with visit.page.expect_response(lambda answer: "far away" in (answer.request.post_data or "")):
        first.continue_()

    expect(visit.status).to_have_text("Tags: night, far away")
    await_tags(api, collection, "moon.png", ["night", "far away"])


def test_a_deletion_that_is_undone_is_never_sent(
    opened: Callable[..., Visit], api: httpx.Client, collection: str
) -> None:
    visit = opened()
    visit.page.clock.install()
    visit.open(f"/?collection={collection}")
    dialog = visit.open_picture("moon.png")
    visit.stop_clock()
    visit.button("Delete", within=dialog).click()
    expect(visit.toast).to_contain_text("1 picture will be deleted")
    visit.page.clock.run_for(UNDO_MS - 1)
    visit.button("Undo", within=visit.toast).click()

    expect(visit.toast).not_to_contain_text("will be deleted")
    visit.page.clock.run_for(10 * UNDO_MS)
    visit.page.clock.resume()
    visit.open(f"/?collection={collection}")
    expect(visit.tiles).to_have_count(3)
    assert visit.record.sent("DELETE", "/") == []
    assert pictures(api, collection).keys() == set(NAMES)


def test_a_deletion_is_sent_once_it_can_no_longer_be_undone(
    opened: Callable[..., Visit], api: httpx.Client, collection: str
) -> None:
    visit = opened()
    visit.page.clock.install()
    visit.open(f"/?collection={collection}")
    deleted = pictures(api, collection)["moon.png"]["id"]
    dialog = visit.open_picture("moon.png")
    visit.stop_clock()
    visit.button("Delete", within=dialog).click()
    expect(visit.tile("moon.png")).to_have_count(0)
    assert visit.record.sent("DELETE", "/") == []

    with visit.page.expect_request_finished(lambda request: request.method == "DELETE") as sent:
        visit.page.clock.fast_forward(UNDO_MS + 100)

    assert f"/v1/images/{deleted}" in sent.value.url
    await_gone(api, collection, "moon.png")
    expect(visit.toast).not_to_contain_text("will be deleted")


def test_a_deletion_is_sent_when_the_page_is_left(
    opened: Callable[..., Visit], api: httpx.Client, collection: str
) -> None:
    visit = opened(f"/?collection={collection}")
    visit.button("Delete", within=visit.open_picture("coffee.png")).click()
    expect(visit.toast).to_contain_text("1 picture will be deleted")

    visit.page.goto("about:blank")

    await_gone(api, collection, "coffee.png")


def test_a_picture_that_is_deleted_and_added_again_is_there_again(
    opened: Callable[..., Visit], api: httpx.Client, collection: str, photos: Photos
) -> None:
    visit = opened()
    visit.page.clock.install()
    visit.open(f"/?collection={collection}")
    dialog = visit.open_picture("moon.png")
    visit.stop_clock()
    visit.button("Delete", within=dialog).click()
    visit.button("Close", within=visit.picture).click()
    with visit.page.expect_request_finished(lambda request: request.method == "DELETE"):
        visit.page.clock.fast_forward(UNDO_MS + 100)
    visit.page.clock.resume()
    await_gone(api, collection, "moon.png")

    dragged = drag(visit.page.locator("body"), [HandedFile.at(photos.folder / "moon.png")])
    job = visit.job_of(lambda: drop(visit.page.get_by_text("Add to the pictures"), dragged))

    expect(job).to_contain_text("1 indexed")
    expect(visit.tile("moon.png")).to_be_visible()
    expect(visit.tiles).to_have_count(len(NAMES))


def test_a_picture_that_is_deleted_stays_in_the_other_collections(
    opened: Callable[..., Visit], collection: str, photos: Photos
) -> None:
    visit = opened(f"/?collection={collection}")
    visit.button("Delete", within=visit.open_picture("moon.png")).click()
    visit.button("Close", within=visit.picture).click()
    expect(visit.tiles).to_have_count(2)

    visit.page.get_by_role("combobox", name="Collection").select_option("images")

    expect(visit.tile("moon.png")).to_be_visible()
    expect(visit.tiles).to_have_count(photos.count)


def test_a_key_that_is_held_deletes_one_picture(opened: Callable[..., Visit], collection: str) -> None:
    visit = opened(f"/?collection={collection}")
    expect(visit.tiles).to_have_count(len(NAMES))
    first, second, _ = visit.names()
    visit.open_picture(first)
    for _ in range(3):
        visit.page.keyboard.down("Delete")

    expect(visit.picture.get_by_role("heading", name=second)).to_be_visible()
    expect(visit.toast).to_contain_text("1 picture will be deleted")
    expect(visit.tiles).to_have_count(2)


def test_undo_brings_the_last_deletion_back_and_says_so(
    opened: Callable[..., Visit], collection: str
) -> None:
    visit = opened()
    visit.page.clock.install()
    visit.open(f"/?collection={collection}")
    visit.open_picture("moon.png")
    visit.stop_clock()
    for _ in range(2):
        visit.page.keyboard.press("Delete")
    expect(visit.toast).to_contain_text("2 pictures will be deleted")
    visit.button("Undo the last", within=visit.toast).click()

    expect(visit.toast).to_contain_text("1 picture will be deleted")
    expect(visit.tiles).to_have_count(2)
    visit.button("Undo", within=visit.toast).click()
    expect(visit.toast).not_to_contain_text("will be deleted")
    expect(visit.tiles).to_have_count(3)


def test_one_of_the_duplicates_is_kept(
    opened: Callable[..., Visit], sightline: Any, api: httpx.Client, photos: Photos, collection: str
) -> None:
    folder = photos.folder.parent / collection
    with Image.open(folder / "coffee.png") as photo:
        for name, side in (("half.png", 2), ("third.png", 3)):
            photo.resize((photo.width // side, photo.height // side)).save(folder / name)
    sightline.ended_job(sightline.ingest(folder, collection=collection), within_s=60)
    visit = opened(f"/?view=duplicates&collection={collection}")
    expect(visit.page.get_by_role("heading", name="Duplicates", exact=True)).to_be_visible()
    visit.button("Look for duplicates").click()
    group = visit.page.get_by_role("group", name="3 pictures")
    expect(group).to_contain_text("600 × 400")
    expect(group.get_by_role("link").first).to_have_accessible_name("coffee.png")
    expect(visit.page.get_by_role("radiogroup", name="Kind").get_by_role("radio")).to_have_count(3)

    group.get_by_role("button", name="Keep this one").first.click()
    expect(visit.toast).to_contain_text("2 pictures will be deleted")
    expect(group).to_have_count(0)
    visit.page.goto("about:blank")

    await_gone(api, collection)
