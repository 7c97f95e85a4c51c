/**
 * The keys of the page.
 */

import { html } from "../vendor/lit-html/lit-html.js";
import { CLOSE } from "./icons.js";
import { View } from "./view.js";

const ANYWHERE = {
  "/": "search",
  f: "filter",
  a: "add pictures",
  j: "jobs",
  u: "undo a deletion",
  "?": "this list",
};
const ON_THE_WALL = { "← → ↑ ↓": "go from picture to picture", "Home, End": "the first, the last", Enter: "open" };
const IN_A_PICTURE = {
  "← →": "the one before, the next",
  m: "more like this",
  l: "less like this",
  i: "search inside: arrows move the box, Shift and arrows resize it",
  t: "add a tag",
  Delete: "delete, with undo",
  Esc: "back to the wall",
};

export class ShortcutsDialog extends View {
  connectedCallback() {
    this.draw();
  }

  /** Show them. */
  open() {
    this.querySelector("dialog").showModal();
  }

  template() {
    return html`<dialog aria-labelledby="shortcuts-heading">
      <h2 id="shortcuts-heading">Keyboard shortcuts</h2>
      ${listOf(ANYWHERE)}
      <h3>On the wall</h3>
      ${listOf(ON_THE_WALL)}
      <h3>In a picture</h3>
      ${listOf(IN_A_PICTURE)}
      <button class="quiet close" aria-label="Close" @click=${() => this.querySelector("dialog").close()}>${CLOSE}</button>
    </dialog>`;
  }
}

const listOf = (keys) =>
  html`<dl class="keys">
    ${Object.entries(keys).map(([key, does]) => html`<dt><kbd>${key}</kbd></dt><dd>${does}</dd>`)}
  </dl>`;
