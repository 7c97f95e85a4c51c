/**
 * Says what will be deleted, while it can be undone.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { count, counted } from "../format.js";
import { moveInto, topmost, View } from "./view.js";

export class DeletionToast extends View {
  #deletions;
  #fault = null;

  /** @param {import("../deletions.js").Deletions} deletions */
  set deletions(deletions) {
    this.#deletions = deletions;
    deletions.addEventListener("change", () => this.#tell(null));
    deletions.addEventListener("failed", ({ detail }) => this.#tell(detail));
    document.addEventListener("toggle", () => this.draw(), { capture: true });
    this.draw();
  }

  template() {
    const { waiting, undoable } = this.#deletions;
    const last = undoable === 1 ? "Undo the last" : `Undo the last ${count(undoable)}`;
    return html`<div id="toast" role="status">
      ${waiting
        ? html`<p>${counted(waiting, "picture")} will be deleted
            <button @click=${() => this.#deletions.undo()}>${undoable === waiting ? "Undo" : last}</button></p>`
        : nothing}
      ${this.#fault ? html`<p class="fault">${this.#fault} It is back on the page.</p>` : nothing}
    </div>`;
  }

  drawn() {
    moveInto(topmost(), this);
  }

  #tell(fault) {
    this.#fault = fault;
    this.draw();
  }
}
