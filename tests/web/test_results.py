"""Pages of results: `web/results.js`, with answers in the order that a test gives them."""

from collections.abc import Iterator

import pytest
from page_modules import PageModules, page_modules
from playwright.sync_api import Browser

_RENEWED = """async () => {
  const { Results } = await import("/web/results.js");
  const { START } = await import("/web/address.js");
  const asked = [];
  const api = { get: (path, query) => new Promise(answer => asked.push({ query, answer })) };
  const deletions = Object.assign(new EventTarget(), { has: () => false });
  const results = new Results(api, deletions, { mayUse: () => true });
  const turn = () => new Promise(resolve => setTimeout(resolve));
  const say = (number, ids, next_cursor) => {
    asked[number].answer({ items: ids.map(id => ({ id })), next_cursor });
    return turn();
  };
  results.show(START);
  await turn();
  await say(0, ["a", "b"], "after b");
  results.loadMore();
  results.renewAll();
  await say(2, ["new", "a"], "after a");
  results.loadMore();
  await say(1, ["c", "d"], "after d");
  await say(3, ["b", "c"], "after c");
  results.loadMore();
  return [asked.map(({ query }) => query.cursor), results.items.map(({ image }) => image.id)];
}"""


@pytest.fixture(scope="module")
def modules(browser: Browser, page_files: str) -> Iterator[PageModules]:
    with page_modules(browser, page_files) as modules:
        yield modules


def test_no_picture_is_skipped_where_the_first_page_comes_anew_while_a_further_one_is_on_its_way(
    modules: PageModules,
) -> None:
    cursors, shown = modules.page.evaluate(_RENEWED)

    assert cursors == [None, "after b", None, "after a", "after c"]
    assert shown == ["new", "a", "b", "c"]
