"""The page with keys that are good for some things: it offers those, and loses nothing when a key ends."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from handed_files import HandedFile, drag, drop, paste_text
from photo_collection import Photos, name_of
from playwright.sync_api import Locator, expect
from visit import Visit

ADMIN = "an-admin-key-of-these-tests"
HATS, SHOES = ("moon.png", "coffee.png"), ("rocket.jpg",)
UNDO_MS = 8_000


@pytest.fixture(scope="module")
def guarded(run_tiny_stack: Any, photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A stack that wants a key, with two collections; its client has the admin's."""
    environment = {"SIGHTLINE_API_KEY": ADMIN}
    roots = photos.folder.parent
    with run_tiny_stack(tmp_path_factory.mktemp("guarded"), roots, environment=environment) as stack:
        stack.api.headers["X-API-Key"] = ADMIN
        for collection, names in (("hats", HATS), ("shoes", SHOES)):
            upload(stack.api, photos, collection, *names)
        yield stack


def upload(api: httpx.Client, photos: Photos, collection: str, *names: str) -> None:
    files = [("files", (name, (photos.folder / name).read_bytes())) for name in names]
    headers = {"Prefer": "wait=60"}
    answer = api.post(
        "/v1/images", files=files, params={"collection": collection}, headers=headers, timeout=90
    )
    assert answer.json()["state"] == "succeeded", answer.text


@pytest.fixture
def make(guarded: Any) -> Callable[..., dict[str, Any]]:
    """`make(scope, **terms)`: a new key."""

    def make(scope: str, **terms: Any) -> dict[str, Any]:
        answer = guarded.api.post("/v1/keys", json={"name": f"a {scope} key", "scope": scope} | terms)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    return make


@pytest.fixture
def with_key(visit: Callable[..., Visit], guarded: Any) -> Callable[..., Visit]:
    """`with_key(key, address)`: a visit of somebody who has shown this key."""

    def begin(key: dict[str, Any], address: str = "/") -> Visit:
        begun = visit(str(guarded.api.base_url).rstrip("/"))
        use(begun, key)
        return begun.open(address)

    return begin


def use(visit: Visit, key: dict[str, Any]) -> None:
    """Have the browser use this key from now on, as another tab would."""
    origin = {"Origin": visit.record.origin}
    answer = visit.page.context.request.post("/v1/session", data={"key": key["key"]}, headers=origin)
    assert answer.status == 204


def prompt(visit: Visit) -> Locator:
    return visit.page.get_by_role("dialog", name="A key is needed")


def show(visit: Visit, key: dict[str, Any]) -> None:
    prompt(visit).get_by_label("Key").fill(key["key"])
    visit.button("Continue", within=prompt(visit)).click()


def choice(visit: Visit) -> Locator:
    return visit.page.get_by_role("combobox", name="Collection")


def revoke(guarded: Any, key: dict[str, Any]) -> None:
    assert guarded.api.delete(f"/v1/keys/{key['id']}").status_code == 204


def tags_of(guarded: Any, name: str, collection: str) -> list[str]:
    items = guarded.api.get("/v1/images", params={"collection": collection}).json()["items"]
    return next(item["tags"] for item in items if name_of(item) == name)


def test_who_may_only_look_is_offered_nothing_else(
    with_key: Callable[..., Visit], make: Callable[..., Any]
) -> None:
    visit = with_key(make("read"), "/?collection=hats")
    expect(visit.tiles).to_have_count(2)
    expect(visit.button("Add pictures")).to_have_count(0)
    visit.page.keyboard.press("a")
    expect(visit.page.get_by_role("dialog", name="Add pictures")).to_be_hidden()
    paste_text(visit.page, "https://example.org/a.jpg")

    dialog = visit.open_picture("moon.png")
    expect(visit.button("More like this", within=dialog)).to_be_visible()
    expect(visit.button("Delete", within=dialog)).to_have_count(0)
    expect(dialog.get_by_role("textbox", name="Add a tag")).to_have_count(0)
    for key in ("Delete", "t", "Escape"):
        visit.page.keyboard.press(key)
    expect(dialog).to_be_hidden()
    expect(visit.tiles).to_have_count(2)

    visit.open("/?view=duplicates&collection=hats")
    expect(visit.page.get_by_text("Nobody has looked yet.")).to_be_visible()
    expect(visit.button("Look for duplicates")).to_have_count(0)
    assert [one.url for one in visit.record.requests if one.method not in ("GET", "HEAD")] == []


def test_files_dropped_by_who_may_only_look_go_nowhere(
    with_key: Callable[..., Visit], make: Callable[..., Any], photos: Photos
) -> None:
    visit = with_key(make("read"), "/?collection=hats")
    expect(visit.tiles).to_have_count(2)
    files = [HandedFile.at(photos.folder / name) for name in ("rocket.jpg", "coins.png")]
    dragged = drag(visit.page.locator("body"), files)
    refusal = visit.page.get_by_text("good for looking at pictures, not for adding any")
    expect(refusal).to_be_visible()
    drop(refusal, dragged)
    expect(refusal).to_have_count(0)
    assert visit.record.sent("POST", "/v1/images") == []

    dragged = drag(visit.page.locator("body"), files[:1])
    expect(visit.page.get_by_text("Add to the pictures")).to_have_count(0)
    drop(visit.page.get_by_text("Search with it"), dragged)
    expect(visit.chips).to_have_count(1)

    visit.open("/?collection=nothing-yet")
    expect(visit.notice).to_contain_text("No pictures yet")
    expect(visit.notice).to_contain_text("not for adding any")
    expect(visit.notice).not_to_contain_text("Drop files")


def test_jobs_are_looked_at_and_left_alone_by_who_may_only_look(
    with_key: Callable[..., Visit], make: Callable[..., Any], guarded: Any
) -> None:
    broken = [("files", ("text.jpg", b"no picture"))]
    wait = {"Prefer": "wait=60"}
    job = guarded.api.post("/v1/images", files=broken, params={"collection": "hats"}, headers=wait).json()
    visit = with_key(make("read"))
    visit.button("Jobs").click()
    shown = visit.jobs.locator(f'article[data-job="{job["id"]}"]')

    expect(shown).to_contain_text("1 failed")
    visit.button("Show not_an_image", within=shown).click()
    expect(shown.get_by_role("listitem").filter(has_text="text.jpg").last).to_be_visible()
    expect(visit.jobs.get_by_role("button", name="Retry")).to_have_count(0)
    expect(visit.button("Cancel", within=visit.jobs)).to_have_count(0)


def test_who_may_use_some_collections_begins_in_one_of_them(
    with_key: Callable[..., Visit], make: Callable[..., Any], guarded: Any
) -> None:
    visit = with_key(make("write", collections=["hats", "shoes"]))

    expect(visit.page).to_have_url(f"{visit.record.origin}/?collection=hats")
    visit.shows_only(*sorted_by_time(guarded, "hats"))
    expect(choice(visit).get_by_role("option")).to_have_text(["hats", "shoes"])
    choice(visit).select_option("shoes")
    visit.shows_only(*SHOES)
    visit.page.get_by_role("link", name="Sightline", exact=True).click()
    visit.shows_only(*SHOES)
    visit.open("/?collection=images")
    expect(visit.notice).to_contain_text("There is no collection 'images'")
    visit.page.get_by_role("link", name="Status").click()
    expect(visit.page.get_by_role("main")).to_contain_text("in hats, shoes alone")


def sorted_by_time(guarded: Any, collection: str) -> list[str]:
    """The names of the files of a collection, as the page shows them first."""
    asked = {"collection": collection, "sort": "-sort_at"}
    return [name_of(item) for item in guarded.api.get("/v1/images", params=asked).json()["items"]]


def test_an_address_without_a_collection_opens_a_picture_of_ones_own(
    with_key: Callable[..., Visit], make: Callable[..., Any], guarded: Any
) -> None:
    item = guarded.api.get("/v1/images", params={"collection": "shoes"}).json()["items"][0]
    visit = with_key(make("read", collections=["shoes"]), f"/?picture={item['id']}")

    expect(visit.picture.get_by_role("heading", name="rocket.jpg")).to_be_visible()
    expect(visit.picture.get_by_role("alert")).to_have_count(0)
    expect(choice(visit)).to_have_count(0)
    assert "collection=shoes" in visit.page.url


def test_a_key_that_is_revoked_in_the_middle_costs_nothing(
    with_key: Callable[..., Visit], make: Callable[..., Any], guarded: Any, photos: Photos
) -> None:
    upload(guarded.api, photos, "middle", *HATS)
    first, second = make("write"), make("write", collections=["middle"])
    visit = with_key(first, "/?collection=middle")
    dialog = visit.open_picture("moon.png")
    revoke(guarded, first)
    field = dialog.get_by_role("textbox", name="Add a tag")
    field.fill("night")
    field.press("Enter")

    expect(prompt(visit)).to_contain_text("its key is good no longer")
    show(visit, first)
    expect(prompt(visit).get_by_role("alert")).to_contain_text("That key is not right")
    show(visit, second)

    expect(prompt(visit)).to_be_hidden()
    expect(visit.picture).to_be_visible()
    expect(visit.button("Remove tag night", within=dialog)).to_be_visible()
    await_tags(guarded, "moon.png", "middle", ["night"])
    visit.button("Close", within=dialog).click()
    expect(visit.tiles).to_have_count(2)


def await_tags(guarded: Any, name: str, collection: str, tags: list[str]) -> None:
    deadline = time.monotonic() + 30
    while tags_of(guarded, name, collection) != tags:
        assert time.monotonic() < deadline, tags_of(guarded, name, collection)
        time.sleep(0.05)


def test_files_on_their_way_wait_for_another_key(
    with_key: Callable[..., Visit], make: Callable[..., Any], guarded: Any, photos: Photos
) -> None:
    first = make("write")
    visit = with_key(first, "/?collection=late")
    expect(visit.notice).to_contain_text("No pictures yet")
    revoke(guarded, first)
    dragged = drag(visit.page.locator("body"), [HandedFile.at(photos.folder / "coins.png")])
    job = visit.job_of(lambda: drop_and_show(visit, dragged, make("write")))

    expect(job).to_contain_text("1 indexed")
    visit.shows_only("coins.png")


def drop_and_show(visit: Visit, dragged: Any, key: dict[str, Any]) -> None:
    drop(visit.page.get_by_text("Add to the pictures"), dragged)
    expect(prompt(visit)).to_be_visible()
    show(visit, key)


def test_a_key_that_has_expired_is_asked_for_again(
    with_key: Callable[..., Visit], make: Callable[..., Any]
) -> None:
    visit = with_key(make("read"), "/?collection=hats")
    expect(visit.tiles).to_have_count(2)
    # Made at the last moment: it has to be good still when it is shown.
    soon = datetime.now(UTC) + timedelta(seconds=5)
    key = make("read", expires_at=soon.isoformat())
    use(visit, key)
    while datetime.now(UTC) < soon:
        time.sleep(0.1)
    visit.open("/?collection=hats&q=a+hat")

    show(visit, key)
    expect(prompt(visit).get_by_role("alert")).to_contain_text("or has expired")
    show(visit, make("read"))
    expect(visit.status).to_contain_text("2 pictures")
    expect(visit.box).to_have_value("a hat")


def test_what_another_tab_has_made_forbidden_is_said_and_not_done(
    with_key: Callable[..., Visit], make: Callable[..., Any], guarded: Any
) -> None:
    visit = with_key(make("write"), "/?collection=hats")
    visit.page.clock.install()
    visit.open("/?collection=hats")
    dialog = visit.open_picture("moon.png")
    visit.stop_clock()
    visit.button("Delete", within=dialog).click()
    expect(visit.toast).to_contain_text("1 picture will be deleted")
    use(visit, make("read"))

    field = visit.picture.get_by_role("textbox", name="Add a tag")
    field.fill("night")
    field.press("Enter")
    expect(visit.picture.get_by_role("alert")).to_contain_text("this call needs the scope write")
    expect(visit.button("Remove tag night")).to_have_count(0)
    expect(field).to_have_count(0)
    visit.page.clock.fast_forward(UNDO_MS + 100)
    expect(visit.toast).to_contain_text("this call needs the scope write")
    expect(visit.toast).to_contain_text("It is back on the page.")
    visit.button("Close", within=visit.picture).click()
    expect(visit.tiles).to_have_count(2)
    assert tags_of(guarded, "coffee.png", "hats") == []


def test_another_key_is_used_and_shows_what_it_opens(
    with_key: Callable[..., Visit], make: Callable[..., Any], guarded: Any
) -> None:
    visit = with_key(make("admin"), "/?view=status&collection=hats")
    expect(visit.page.get_by_role("main")).to_contain_text("a admin key: for everything")
    visit.button("Use another key").click()
    show(visit, make("read", collections=["shoes"]))

    expect(visit.page.get_by_role("main")).to_contain_text("to look at pictures, in shoes alone")
    expect(visit.button("Add pictures")).to_have_count(0)
    visit.page.get_by_role("link", name="Pictures", exact=True).click()
    expect(visit.notice).to_contain_text("There is no collection 'hats'")
    choice(visit).select_option("shoes")
    visit.shows_only(*SHOES)
