/**
 * Elements that draw themselves from what they know.
 */

import { render } from "../vendor/lit-html/lit-html.js";

const FOCUSABLE = "a[href], button:enabled, input:enabled:not([hidden]), select, textarea, [tabindex='0']";

/** Draws its `template()` into itself; `draw()` again whenever it would be another. */
export class View extends HTMLElement {
  #asked = false;

  /** Draw before the browser next paints. */
  draw() {
    if (this.#asked) return;
    this.#asked = true;
    queueMicrotask(() => {
      this.#asked = false;
      const focused = [...this.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
      render(this.template(), this);
      this.drawn();
      if (focused >= 0 && !this.contains(document.activeElement)) this.#focus(focused);
    });
  }

  /** What had the focus is gone: whoever works by keyboard goes on with what stands in its place. */
  #focus(place) {
    const left = [...this.querySelectorAll(FOCUSABLE)];
    (left[Math.min(place, left.length - 1)] ?? elsewhere()).focus();
  }

  /** What is to be seen. */
  template() {
    throw new Error("a view has a template");
  }

  /** Called after each drawing, for what a template cannot say. */
  drawn() {}
}

/** The dialog that is open, or the page: while a dialog is open, nothing outside can be reached or heard. */
export function topmost() {
  return [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
}

/** Where whoever works by keyboard goes on: what lies behind a dialog takes no focus. */
function elsewhere() {
  const host = topmost();
  return host === document.body ? document.getElementById("main") : host.querySelector(FOCUSABLE);
}

/**
 * @param {Element} host
 * @param {Element} element
 */
export function moveInto(host, element) {
  if (element.parentElement !== host) host.append(element);
}

/**
 * Say something to those who hear the page rather than see it.
 * @param {string} sentence
 */
export function announce(sentence) {
  const announcer = document.getElementById("announcer");
  moveInto(topmost(), announcer);
  announcer.textContent = sentence;
}
