/**
 * What there is to say about the pictures on the wall: how many, that none stands out, what is wrong.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { searches } from "../address.js";
import { counted } from "../format.js";
import { brings } from "../jobs.js";
import { announce, View } from "./view.js";

export class ResultNotice extends View {
  #results;
  #navigation;
  #jobs;
  #access;
  #said = "";

  /**
   * @param {import("../results.js").Results} results
   * @param {import("../navigation.js").Navigation} navigation
   * @param {import("../jobs.js").Jobs} jobs
   * @param {import("../access.js").Access} access
   */
  use(results, navigation, jobs, access) {
    this.#results = results;
    this.#navigation = navigation;
    this.#jobs = jobs;
    this.#access = access;
    for (const one of [results, navigation, jobs, access]) one.addEventListener("change", () => this.draw());
    this.draw();
  }

  template() {
    if (this.#navigation.place.view !== "pictures") return nothing;
    const { state, error, items, warnings } = this.#results;
    if (state === "failed") {
      return html`<p id="notice" class="fault">${error.message}
        <button class="small" @click=${() => this.#results.tryAgain()}>Try again</button></p>`;
    }
    if (state === "ready" && !items.length) return this.#empty();
    return html`
      ${this.#outcome()} ${warnings.map(({ detail }) => html`<p class="warning">${detail}</p>`)}
    `;
  }

  drawn() {
    const { state, error, items, more, noGoodMatch } = this.#results;
    const sentence = {
      loading: "Searching…",
      failed: error?.message,
      ready: `${noGoodMatch ? "Nothing stands out. " : ""}${more ? "More than " : ""}${counted(items.length, "picture")}`,
    }[state];
    if (sentence !== this.#said) announce(sentence);
    this.#said = sentence;
  }

  #outcome() {
    const { state, noGoodMatch } = this.#results;
    const { place } = this.#navigation;
    if (state === "loading") return html`<p id="notice" class="loading">Searching…</p>`;
    if (noGoodMatch) {
      return html`<p id="notice"><b>Nothing stands out</b> for this search. These are the nearest pictures.</p>`;
    }
    return searches(place) ? html`<p id="notice">The nearest first.</p>` : this.#order(place);
  }

  #order({ sort }) {
    const [time, oldestFirst] = [sort.replace("-", ""), !sort.startsWith("-")];
    const go = (to) => this.#navigation.go({ sort: to });
    const option = (value, name) => html`<option value=${value} .selected=${value === time}>${name}</option>`;
    return html`<p id="notice" class="order">
      <label>In order of
        <select @change=${({ target }) => go(`${oldestFirst ? "" : "-"}${target.value}`)}>
          ${option("sort_at", "time taken")} ${option("indexed_at", "time added")}
        </select>
      </label>
      <button class="small" @click=${() => go(oldestFirst ? `-${time}` : time)}>
        ${oldestFirst ? "oldest first" : "newest first"}
      </button>
    </p>`;
  }

  #empty() {
    const { place } = this.#navigation;
    if (searches(place) || place.filter) {
      return html`<p id="notice">No picture matches. ${place.filter ? "The filter may leave all of them out." : nothing}</p>`;
    }
    const here = place.collection ?? this.#access.defaultCollection;
    const coming = this.#jobs.active
      .filter((job) => brings(job) && job.collection === here)
      .reduce((sum, { counts }) => sum + counts.pending, 0);
    return html`<div id="notice" class="empty">
      <h1>No pictures yet</h1>
      ${coming
        ? html`<p>${counted(coming, "file")} on the way: the first appear here in a moment.</p>`
        : howToAdd(this.#access.mayWrite, place.collection)}
    </div>`;
  }
}

function howToAdd(mayWrite, collection) {
  if (!mayWrite) return html`<p>Your key is good for looking at pictures, not for adding any.</p>`;
  return html`<p>Drop files or folders here, or choose <b>Add pictures</b> above.</p>
    <p>From a terminal: <code>sightline index ~/Pictures${collection ? ` --collection ${collection}` : nothing}</code></p>`;
}
