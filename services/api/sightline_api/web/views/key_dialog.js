/**
 * Asks for a key, where the API wants one.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { View } from "./view.js";

const FIRST = "This Sightline is open to those who have a key. Whoever runs it can give you one.";
const AGAIN = "The session has ended, or its key is good no longer. Show a key, and what you were doing goes on.";

export class KeyDialog extends View {
  #api;
  #again = false;
  #error = null;
  #done = null;
  #sending = false;

  /** @param {import("../api.js").Api} api */
  set api(api) {
    this.#api = api;
    this.draw();
  }

  /**
   * Ask until a key is right.
   * @param {boolean} again whether one was, earlier
   * @returns {Promise<void>}
   */
  ask(again) {
    this.#again = again;
    this.draw();
    this.querySelector("dialog").showModal();
    return new Promise((resolve) => (this.#done = resolve));
  }

  template() {
    return html`<dialog aria-labelledby="key-heading" @close=${() => this.#openAgain()}
      @cancel=${(event) => event.preventDefault()} @keydown=${(event) => event.key === "Escape" && event.preventDefault()}>
      <form @submit=${(event) => this.#submit(event)}>
        <h2 id="key-heading">A key is needed</h2>
        <p>${this.#again ? AGAIN : FIRST}</p>
        <label>Key <input type="password" name="key" required autocomplete="current-password" /></label>
        ${this.#error ? html`<p role="alert" class="fault">${this.#error}</p>` : nothing}
        <div class="actions"><button class="primary">Continue</button></div>
      </form>
    </dialog>`;
  }

  /** Without a key there is nothing to go back to, but browsers let nobody be held: a second Escape closes it. */
  #openAgain() {
    const dialog = this.querySelector("dialog");
    if (this.#done && !dialog.open) dialog.showModal();
  }

  async #submit(event) {
    event.preventDefault();
    if (this.#sending) return;
    const { key } = event.target.elements;
    this.#sending = true;
    try {
      await this.#api.signIn(key.value);
    } catch (error) {
      this.#error = error.status === 401 ? "That key is not right, or has expired." : error.message;
      this.draw();
      key.select();
      return;
    } finally {
      this.#sending = false;
    }
    key.value = "";
    this.#error = null;
    this.draw();
    const done = this.#done;
    this.#done = null;
    this.querySelector("dialog").close();
    done();
  }
}
