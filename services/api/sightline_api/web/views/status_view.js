/**
 * How the service is: what it depends on, what is in it, and its model.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { count, counted } from "../format.js";
import { followed } from "../navigation.js";
import { View } from "./view.js";

const MAY = {
  read: "to look at pictures",
  write: "to look at pictures, add, change and delete them",
  admin: "for everything",
};
const LOADING = html`<p class="notice">Loading…</p>`;

export class StatusView extends View {
  #api;
  #navigation;
  #access;
  #known = { model: null, stats: null, readiness: null };
  #error = null;

  /**
   * @param {import("../api.js").Api} api
   * @param {import("../navigation.js").Navigation} navigation
   * @param {import("../access.js").Access} access
   */
  use(api, navigation, access) {
    this.#api = api;
    this.#navigation = navigation;
    this.#access = access;
    navigation.addEventListener("change", () => this.#follow());
    access.addEventListener("change", () => this.draw());
    access.addEventListener("another", () => this.#learnAll());
    this.#follow();
  }

  template() {
    const { model, stats, readiness } = this.#known;
    return html`<section aria-labelledby="status-heading">
      <h1 id="status-heading">Status</h1>
      ${this.#error ? html`<p role="alert" class="fault">${this.#error.message}</p>` : nothing}
      ${model?.notice ? html`<p class="warning">${model.notice}</p>` : nothing}
      ${this.#key()}
      <h2>Services</h2>
      ${readiness ? servicesOf(readiness) : LOADING}
      <h2>Collections</h2>
      ${stats ? html`<ul class="plain">${stats.collections.map((one) => this.#collection(one))}</ul>` : LOADING}
      <h2>Model</h2>
      ${model ? factsOf(model) : LOADING}
    </section>`;
  }

  #key() {
    const { key } = this.#access;
    if (!key) return nothing;
    return html`<h2>Your key</h2>
      <p>${key.name}: ${MAY[key.scope]}${key.collections ? `, in ${key.collections.join(", ")} alone` : nothing}.
        <button class="small" @click=${() => this.#useAnotherKey()}>Use another key</button></p>`;
  }

  #collection({ name, points, indexed, space }) {
    const place = { view: "pictures", collection: name, q: "", references: [], filter: null };
    return html`<li>
      <a href=${this.#navigation.addressOf(place)} @click=${(event) => followed(event, () => this.#navigation.go(place))}>${name}</a>
      ${counted(points, "picture")}, ${count(indexed)} of them in the HNSW index, of ${space}
    </li>`;
  }

  #follow() {
    const visible = this.#navigation.place.view === "status";
    if (visible && this.hidden) this.#learnAll();
    this.hidden = !visible;
    if (visible) this.draw();
  }

  #learnAll() {
    this.#error = null;
    this.#learn("readiness", this.#api.readiness());
    this.#learn("stats", this.#api.get("/v1/stats"));
    this.#learn("model", this.#api.get("/v1/model"));
  }

  async #useAnotherKey() {
    try {
      await this.#api.useAnotherKey();
    } catch (error) {
      this.#error = error;
    }
    this.draw();
  }

  async #learn(name, answer) {
    try {
      this.#known[name] = await answer;
    } catch (error) {
      this.#error = error;
    }
    this.draw();
  }
}

function servicesOf({ dependencies }) {
  return html`<dl>
    ${Object.entries(dependencies).map(
      ([name, { ready, detail }]) => html`<dt>${name}</dt><dd class=${ready ? "" : "fault"}>${ready ? "ready" : detail}</dd>`,
    )}
  </dl>`;
}

function factsOf(model) {
  return html`<dl>
    <dt>name</dt><dd>${model.name} ${model.revision}</dd>
    <dt>space</dt><dd>${model.space}</dd>
    <dt>vectors</dt><dd>${model.dimension} dimensions, ${model.numerics}</dd>
    <dt>text</dt><dd>up to ${model.context_tokens} tokens${model.multilingual ? ", in many languages" : ""}</dd>
    <dt>relevance</dt><dd>${model.calibrated ? "fitted for this model" : "not fitted for this model"}</dd>
    <dt>licence</dt><dd>${model.license}</dd>
  </dl>`;
}
