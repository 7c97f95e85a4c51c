/**
 * The search box: searches as its writer pauses.
 */

import { html } from "../vendor/lit-html/lit-html.js";
import { live } from "../vendor/lit-html/directives/live.js";
import { keep } from "../photos.js";
import { PHOTO, SEARCH } from "./icons.js";
import { View } from "./view.js";

const PAUSE_MS = 200;

export class SearchBar extends View {
  #navigation;
  #text = "";
  #timer = null;
  #writing = false;
  /** Since the last pause that led to a place of its own: "back" leads past every text in between. */

  /** @param {import("../navigation.js").Navigation} navigation */
  set navigation(navigation) {
    this.#navigation = navigation;
    navigation.addEventListener("change", () => this.#follow());
    this.#text = navigation.place.q;
    this.draw();
  }

  /** Put the focus into the box, on all its text. */
  take() {
    this.querySelector("input[type=search]").select();
  }

  /**
   * Search by a picture of the visitor's, beside the text that is there.
   * @param {File} file
   */
  async searchBy(file) {
    const reference = { kind: "photo", id: await keep(file), box: null, wanted: true };
    const others = this.#navigation.place.references.filter(({ kind }) => kind !== "photo");
    this.#navigation.go({ references: [...others, reference], view: "pictures", picture: null });
  }

  template() {
    return html`
      <form role="search" @submit=${(event) => this.#submit(event)}>
        ${SEARCH}
        <input type="search" name="q" aria-label="Search pictures" autocomplete="off" spellcheck="false"
          enterkeyhint="search" placeholder="a cat on a sofa -people" maxlength="10000"
          .value=${live(this.#text)}
          @input=${(event) => this.#write(event)} @blur=${() => (this.#writing = false)} />
        <input type="file" id="query-photo" accept="image/*,.heic,.heif,.avif" hidden
          @change=${(event) => this.#choose(event.target)} />
        <button type="button" class="quiet" aria-label="Search by a picture" title="Search by a picture"
          @click=${() => this.querySelector("#query-photo").click()}>${PHOTO}</button>
      </form>
    `;
  }

  #write({ target, isComposing }) {
    this.#text = target.value;
    clearTimeout(this.#timer);
    if (!isComposing) this.#timer = setTimeout(() => this.#search(), PAUSE_MS);
  }

  #submit(event) {
    event.preventDefault();
    clearTimeout(this.#timer);
    this.#search();
    this.#writing = false;
  }

  #search() {
    this.#navigation.go({ q: this.#text, view: "pictures", picture: null }, { replace: this.#writing });
    this.#writing = true;
  }

  #choose(input) {
    const [file] = input.files;
    input.value = "";
    if (file) this.searchBy(file);
  }

  #follow() {
    const { q } = this.#navigation.place;
    if (q === this.#text) return;
    clearTimeout(this.#timer);
    this.#text = q;
    this.#writing = false;
    this.draw();
  }
}
