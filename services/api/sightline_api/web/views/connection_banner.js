/**
 * Says that the API is gone, while it is.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { View } from "./view.js";

export class ConnectionBanner extends View {
  #fault = null;

  /** @param {import("../api.js").Api} api */
  set api(api) {
    api.addEventListener("gone", ({ detail }) => this.#say(detail));
    api.addEventListener("back", () => this.#say(null));
    this.draw();
  }

  template() {
    return this.#fault ? html`<p id="connection" role="alert">${this.#fault} Trying again…</p>` : nothing;
  }

  #say(fault) {
    this.#fault = fault;
    this.draw();
  }
}
