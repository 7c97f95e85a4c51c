/**
 * Says what went wrong beside the pictures that are there: a further page, or what came in since.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { View } from "./view.js";

export class ResultFault extends View {
  #results;
  #navigation;

  /**
   * @param {import("../results.js").Results} results
   * @param {import("../navigation.js").Navigation} navigation
   */
  use(results, navigation) {
    this.#results = results;
    this.#navigation = navigation;
    for (const one of [results, navigation]) one.addEventListener("change", () => this.draw());
  }

  template() {
    const { state, error } = this.#results;
    if (state !== "ready" || !error || this.#navigation.place.view !== "pictures") return nothing;
    return html`<p role="alert" class="fault">${error.message}
      <button class="small" @click=${() => this.#results.tryAgain()}>Try again</button></p>`;
  }
}
