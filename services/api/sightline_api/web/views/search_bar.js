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
  /** The text of the place that the page is at. */
  #searched = "";
  /** Ends when the text in the box is to be searched; null where none waits. */
  #timer = null;
  /** Since the last pause that led to a place of its own: "back" leads past every text in between. */
  #writing = false;

  /** @param {import("../navigation.js").Navigation} navigation */
  set navigation(navigation) {
    // The header hands it over whenever it draws, and somebody may be writing.
    if (navigation === this.#navigation) return;
    this.#navigation = navigation;
    navigation.addEventListener("change", () => this.#follow());
    this.#text = this.#searched = navigation.place.q;
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
          @input=${(event) => this.#write(event)} @compositionend=${(event) => this.#write(event)}
          @blur=${() => (this.#writing = false)} />
        <input type="file" id="query-photo" accept="image/*,.heic,.heif,.avif" hidden
          @change=${(event) => this.#choose(event.target)} />
        <button type="button" class="quiet" aria-label="Search by a picture" title="Search by a picture"
          @click=${() => this.querySelector("#query-photo").click()}>${PHOTO}</button>
      </form>
    `;
  }

  /** What an input method composes is searched once it is done; browsers differ in which event comes last. */
  #write({ target, isComposing }) {
    this.#text = target.value;
    this.#cease();
    if (!isComposing) this.#timer = setTimeout(() => this.#search(), PAUSE_MS);
  }

  #submit(event) {
    event.preventDefault();
    this.#search();
    this.#writing = false;
  }

  #search() {
    this.#cease();
    this.#navigation.go({ q: this.#text, view: "pictures", picture: null }, { replace: this.#writing });
    this.#writing = true;
  }

  /** Text that waits goes to where the visitor has gone meanwhile, and closes nothing there. */
  #goAlong() {
    if (this.#timer === null) return;
    this.#cease();
    this.#navigation.go({ q: this.#text }, { replace: true });
    this.#writing = true;
  }

  #cease() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #choose(input) {
    const [file] = input.files;
    input.value = "";
    if (file) this.searchBy(file);
  }

  #follow() {
    const { q } = this.#navigation.place;
    if (q === this.#searched) return this.#goAlong();
    this.#cease();
    this.#searched = q;
    if (q === this.#text) return;
    this.#text = q;
    this.#writing = false;
    this.draw();
  }
}
