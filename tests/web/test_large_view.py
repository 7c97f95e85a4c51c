"""Going quickly through pictures in the large view: what nobody looks at any more is not waited for."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Request, Route, expect
from visit import Visit

PASSED = 3
ORIGINAL = re.compile(r"/v1/images/[0-9a-f-]{36}/original(\?|$)")
DETAILS = re.compile(r"/v1/images/[0-9a-f-]{36}(\?|$)")


@pytest.mark.parametrize("asked_for", [ORIGINAL, DETAILS], ids=["original", "details"])
def test_what_belongs_to_a_picture_that_was_passed_is_canceled(
    opened: Callable[..., Visit], asked_for: re.Pattern[str]
) -> None:
    visit = opened()
    held: list[Route] = []
    visit.page.route(asked_for, lambda route: held.append(route))

    def canceled(request: Request) -> bool:
        return asked_for.search(request.url) is not None

    with visit.page.expect_request(asked_for) as asked:
        visit.tiles.first.click()
    for _ in range(PASSED):
        passed = asked.value
        with (
            visit.page.expect_request(asked_for) as asked,
            visit.page.expect_event("requestfailed", canceled) as failed,
        ):
            visit.page.keyboard.press("ArrowRight")
        assert failed.value == passed

    with visit.page.expect_event("requestfailed", canceled) as failed:
        visit.page.keyboard.press("Escape")
    assert failed.value == asked.value
    expect(visit.picture).to_be_hidden()
    assert len(held) == 1 + PASSED


def test_the_picture_that_one_stays_at_is_shown_whole(opened: Callable[..., Visit]) -> None:
    visit = opened()
    visit.tiles.first.click()
    for _ in range(PASSED):
        visit.page.keyboard.press("ArrowRight")
    visit.page.keyboard.press("ArrowLeft")

    expect(visit.picture.locator(".frame img")).to_have_attribute("src", ORIGINAL)
