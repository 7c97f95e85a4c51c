"""What is done twice, or broken off, while an answer is on its way: modules of the page."""

from collections.abc import Iterator
from typing import Any

import pytest
from page_modules import PageModules, page_modules
from playwright.sync_api import Browser

_STOPPED = """async () => {
  const { Uploads } = await import("/web/uploads.js");
  const sent = [];
  const post = async (path, { form }) => {
    sent.push(form.getAll("files").map(file => file.name));
    return { id: "job" };
  };
  const uploads = new Uploads({ post }, { add: () => {} });
  const until = (done) => new Promise(resolve => {
    const look = () => done() && resolve();
    uploads.addEventListener("change", look);
    look();
  });
  uploads.add([new File(["1"], "stopped.png")]);
  uploads.stop();
  uploads.add([new File(["2"], "wanted.png")]);
  await until(() => uploads.total === 0);
  return sent;
}"""
_HIDDEN = """async () => {
  const { Jobs } = await import("/web/jobs.js");
  window.listed = 0;
  window.timers = [];
  window.setTimeout = (act) => window.timers.push(act);
  Object.defineProperty(document, "hidden", { configurable: true, value: true });
  const get = async () => { window.listed += 1; return { items: [] }; };
  const jobs = new Jobs({ get });
  await jobs.refresh();
  for (let look = 0; look < 3; look += 1) {
    window.timers.pop()();
    jobs.add({ id: String(look), state: "succeeded" });
  }
  const before = window.listed;
  Object.defineProperty(document, "hidden", { configurable: true, value: false });
  document.dispatchEvent(new Event("visibilitychange"));
  return window.listed - before;
}"""
_WAITED = """async () => {
  const { Api } = await import("/web/api.js");
  const { signal } = new AbortController();
  let listeners = 0;
  for (const [name, by] of [["addEventListener", 1], ["removeEventListener", -1]]) {
    const real = signal[name].bind(signal);
    signal[name] = (...given) => { listeners += by; real(...given); };
  }
  let left = 3;
  const busy = () => new Response("{}", { status: 503, headers: { "Retry-After": "0.001" } });
  window.fetch = async () => (left-- > 0 ? busy() : new Response("{}"));
  await new Api(() => {}).get("/v1/images", {}, signal);
  return listeners;
}"""
_KEY = """async () => {
  const { KeyDialog } = await import("/web/views/key_dialog.js");
  customElements.define("key-dialog", KeyDialog);
  const dialog = document.body.appendChild(document.createElement("key-dialog"));
  const answers = [];
  dialog.api = { signIn: () => new Promise(answer => answers.push(answer)) };
  await null;
  const asked = dialog.ask(false);
  dialog.querySelector("input").value = "a key";
  for (let press = 0; press < 2; press += 1) dialog.querySelector("form").requestSubmit();
  answers.forEach(answer => answer());
  await asked;
  return answers.length;
}"""
_ADDED = """async () => {
  const { AddDialog } = await import("/web/views/add_dialog.js");
  customElements.define("add-dialog", AddDialog);
  const dialog = document.body.appendChild(document.createElement("add-dialog"));
  const keys = [];
  let answer;
  const post = (path, { headers }) => {
    keys.push(headers?.["Idempotency-Key"] ?? null);
    return new Promise(resolve => (answer = resolve));
  };
  dialog.use({ post }, { add: () => {} }, { add: () => {} }, { place: { collection: null } });
  await null;
  const add = async (presses) => {
    const added = new Promise(resolve => dialog.addEventListener("added", resolve, { once: true }));
    dialog.open("https://example.org/cat.jpg");
    for (let press = 0; press < presses; press += 1) dialog.querySelector("form").requestSubmit();
    answer({ id: "job" });
    await added;
  };
  await add(2);
  await add(1);
  return keys;
}"""
_CROPPED = """async () => {
  const { CropBox } = await import("/web/views/crop_box.js");
  customElements.define("crop-box", CropBox);
  const box = document.body.appendChild(document.createElement("crop-box"));
  box.style.cssText = "display: block; position: fixed; inset: 0";
  box.setPointerCapture = () => {}; // No pointer of these events is a real one.
  await null;
  await null;
  const point = async (name, share) => {
    const at = { clientX: share * innerWidth, clientY: share * innerHeight };
    box.dispatchEvent(new PointerEvent(name, at));
    await null;
    return box.querySelector(".box").ariaLabel;
  };
  await point("pointerdown", 0.1);
  const drawn = await point("pointermove", 0.5);
  await point("pointercancel", 0.5);
  return [drawn, await point("pointermove", 0.9)];
}"""


@pytest.fixture
def modules(browser: Browser, page_files: str) -> Iterator[PageModules]:
    with page_modules(browser, page_files) as modules:
        yield modules


def test_files_that_are_added_just_after_sending_was_stopped_are_sent(modules: PageModules) -> None:
    sent = modules.page.evaluate(_STOPPED)

    assert sent == [["wanted.png"]]


def test_a_tab_that_was_hidden_for_long_looks_at_its_jobs_once(modules: PageModules) -> None:
    assert modules.page.evaluate(_HIDDEN) == 1


def test_a_request_that_waited_leaves_nothing_with_its_signal(modules: PageModules) -> None:
    assert modules.page.evaluate(_WAITED) == 0


def test_a_key_that_is_sent_twice_is_shown_once(modules: PageModules) -> None:
    assert modules.page.evaluate(_KEY) == 1


def test_addresses_that_are_sent_twice_make_one_job(modules: PageModules) -> None:
    keys: list[Any] = modules.page.evaluate(_ADDED)

    assert len(keys) == 2
    assert None not in keys
    assert len(set(keys)) == 2


def test_a_box_is_drawn_no_further_once_the_browser_takes_the_pointer(modules: PageModules) -> None:
    drawn, later = modules.page.evaluate(_CROPPED)

    assert drawn.startswith("From 10 % and 10 % to 50 % and 50 %")
    assert later == drawn
