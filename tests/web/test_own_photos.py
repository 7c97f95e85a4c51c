"""A visitor's own pictures in this browser: `web/photos.js`."""

from collections.abc import Iterator

import pytest
from page_modules import PageModules, page_modules
from playwright.sync_api import Browser

_KEPT = """async ([early, count, svg]) => {
  const { addressOf, find, keep } = await import("/web/photos.js");
  const { set } = await import("/web/vendor/idb-keyval/index.js");
  const photo = (name) => new File([svg], String(name), { type: "image/svg+xml" });
  const readable = (src) => Object.assign(new Image(), { src }).decode().then(() => true, () => false);
  for (const id of early) await set(id, photo(id));
  const ids = [];
  ids.push(await keep(photo(0)));
  const [shown, same] = await Promise.all([addressOf(ids[0]), addressOf(ids[0])]);
  const before = await readable(shown);
  for (let number = 1; number < count; number += 1) ids.push(await keep(photo(number)));
  const found = async (id) => (await find(id))?.name ?? null;
  return {
    early: await Promise.all(early.map(found)),
    kept: await Promise.all(ids.map(found)),
    shown: [shown === same, before, await readable(shown)],
  };
}"""
_PHOTO = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'
KEPT = 20
BY_CHANCE = ["0123456789abcdef", "fedcba9876543210"]
"""Names of pictures as earlier versions of the page gave them."""


@pytest.fixture
def modules(browser: Browser, page_files: str) -> Iterator[PageModules]:
    with page_modules(browser, page_files) as modules:
        yield modules


def test_the_latest_are_kept_and_the_oldest_makes_room(modules: PageModules) -> None:
    kept = modules.page.evaluate(_KEPT, [[], KEPT + 2, _PHOTO])["kept"]

    assert kept == [None, None, *(str(number) for number in range(2, KEPT + 2))]


def test_those_of_earlier_versions_make_room_first(modules: PageModules) -> None:
    answer = modules.page.evaluate(_KEPT, [BY_CHANCE, KEPT - 1, _PHOTO])

    assert answer["early"] == [None, BY_CHANCE[1]]
    assert answer["kept"] == [str(number) for number in range(KEPT - 1)]


@pytest.mark.parametrize(("count", "shown"), [(KEPT, True), (KEPT + 1, False)])
def test_the_address_of_one_that_made_room_holds_no_memory(
    modules: PageModules, count: int, shown: bool
) -> None:
    answer = modules.page.evaluate(_KEPT, [[], count, _PHOTO])

    assert answer["shown"] == [True, True, shown]
