"""The page of a service that wants a key."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from visit import Visit

KEY = "an-api-key-of-these-tests"


@pytest.fixture(scope="module")
def guarded(run_tiny_stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A stack that wants a key, and has no pictures."""
    folder = tmp_path_factory.mktemp("guarded")
    with run_tiny_stack(folder / "data", folder, environment={"SIGHTLINE_API_KEY": KEY}) as stack:
        yield stack


@pytest.fixture
def asking(visit: Callable[..., Visit], guarded: Any) -> Visit:
    """A visit of somebody who has shown no key yet."""
    return visit(str(guarded.api.base_url).rstrip("/")).open()


def dialog_of(visit: Visit) -> Locator:
    return visit.page.get_by_role("dialog", name="A key is needed")


def show(visit: Visit, key: str) -> None:
    dialog_of(visit).get_by_label("Key").fill(key)
    visit.button("Continue", within=dialog_of(visit)).click()


def test_a_wrong_key_is_refused_and_the_right_one_opens(asking: Visit) -> None:
    show(asking, "another key")
    expect(dialog_of(asking).get_by_role("alert")).to_have_text("That key is not right, or has expired.")

    show(asking, KEY)

    expect(dialog_of(asking)).to_be_hidden()
    expect(asking.status).to_have_text("0 pictures")
    asking.page.reload()
    expect(asking.status).to_have_text("0 pictures")
    expect(dialog_of(asking)).to_be_hidden()


def test_a_key_is_shown_with_the_keyboard_alone(asking: Visit) -> None:
    expect(dialog_of(asking).get_by_label("Key")).to_be_focused()
    asking.page.keyboard.type(KEY)
    asking.page.keyboard.press("Escape")
    expect(dialog_of(asking)).to_be_visible()
    asking.page.keyboard.press("Enter")

    expect(dialog_of(asking)).to_be_hidden()
    expect(asking.status).to_have_text("0 pictures")


def test_the_question_for_a_key_stays_until_it_is_answered(asking: Visit) -> None:
    expect(dialog_of(asking)).to_be_visible()
    for _ in range(3):
        asking.page.keyboard.press("Escape")
    # What a phone's "back" does, and whatever else closes a dialog past its page.
    dialog_of(asking).evaluate("dialog => dialog.close()")

    expect(dialog_of(asking)).to_be_visible()
    show(asking, KEY)
    expect(dialog_of(asking)).to_be_hidden()
    expect(asking.status).to_have_text("0 pictures")


def test_no_script_can_read_the_key_again(asking: Visit) -> None:
    show(asking, KEY)
    expect(dialog_of(asking)).to_be_hidden()

    kept = "() => [document.cookie, JSON.stringify({ ...localStorage, ...sessionStorage }), location.href]"
    assert not any(KEY in one for one in asking.page.evaluate(kept))
    assert asking.page.evaluate("() => document.cookie") == ""
    (cookie,) = asking.page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert cookie["value"] != KEY


def test_a_session_that_is_lost_is_asked_for_again(asking: Visit) -> None:
    show(asking, KEY)
    expect(asking.status).to_have_text("0 pictures")
    asking.page.context.clear_cookies()

    asking.search("a cat")
    show(asking, KEY)

    expect(dialog_of(asking)).to_be_hidden()
    expect(asking.status).to_contain_text("0 pictures")
    expect(asking.page).to_have_url(re.compile(r"[?&]q=a\+cat"))


def test_what_the_key_opens_can_be_changed(asking: Visit, guarded: Any) -> None:
    show(asking, KEY)
    asking.button("Add pictures").click()
    dialog = asking.page.get_by_role("dialog", name="Add pictures")
    dialog.get_by_role("textbox", name="Addresses of pictures, one per line").fill("http://127.0.0.1/a.jpg")
    job = asking.job_of(asking.button("Add", within=dialog).click)

    expect(job).to_contain_text("1 failed")
