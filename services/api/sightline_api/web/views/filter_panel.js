/**
 * The filter: what the pictures have, counted, to choose from.
 *
 * The counts of a field are those under the rest of the filter, so that a second value of it can be chosen.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { live } from "../vendor/lit-html/directives/live.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { choicesOf, treeOf, withChoice } from "../filters.js";
import { count } from "../format.js";
import { View } from "./view.js";

const VALUES = 12;
const SIDES_PX = [640, 1280, 1920, 3840];
const COUNTED = ["tags", "auto_tags", "format", "camera"];
const COUNTED_TYPES = ["keyword", "bool", "integer"];
const LEGENDS = { tags: "Tags", auto_tags: "Seen in it", format: "Format", camera: "Camera" };
const TIME = "sort_at";

export class FilterPanel extends View {
  #api;
  #navigation;
  #fields = {};
  #facets = new Map();
  #asked = null;
  #abort = new AbortController();

  /** @param {import("../api.js").Api} api @param {import("../navigation.js").Navigation} navigation */
  use(api, navigation) {
    this.#api = api;
    this.#navigation = navigation;
    navigation.addEventListener("change", () => this.#follow());
  }

  /** Open it or close it. */
  toggle() {
    this.hidden = !this.hidden;
    this.dispatchEvent(new Event("toggle"));
    if (this.hidden) return;
    this.refresh();
    this.querySelector("input, button, select")?.focus();
  }

  /** Count again: pictures may have come or gone. */
  async refresh() {
    if (this.hidden) return;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#asked = this.#question();
    this.draw();
    try {
      await this.#count(this.#abort.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#facets.clear(); // The wall says what is wrong with the filter.
    }
    this.draw();
  }

  template() {
    const choices = choicesOf(this.#navigation.place.filter);
    return html`<section aria-label="Filter">
      ${choices ? this.#groups(choices) : html`<p>The address has a filter that this panel cannot show.</p>`}
      <button ?disabled=${!this.#navigation.place.filter} @click=${() => this.#go(null)}>Clear the filter</button>
    </section>`;
  }

  #groups(choices) {
    const declared = Object.keys(this.#fields).filter((field) => field.startsWith("metadata."));
    const ranges = declared.filter((field) => ["float", "integer", "datetime"].includes(this.#fields[field]));
    return html`
      ${["tags", "auto_tags", "format"].map((field) => this.#values(field, choices))}
      ${this.#range("Time", TIME, "datetime", choices)} ${this.#size(choices)} ${this.#values("camera", choices)}
      ${declared.filter((field) => !ranges.includes(field)).map((field) => this.#values(field, choices))}
      ${ranges.map((field) => this.#range(legendOf(field), field, this.#fields[field], choices))}
    `;
  }

  #values(field, choices) {
    const chosen = choices.fields.get(field)?.any ?? [];
    const counted = this.#facets.get(field) ?? { values: [], more: false };
    const missing = chosen.filter((value) => !counted.values.some((one) => one.value === value));
    const shown = [...counted.values, ...missing.map((value) => ({ value, count: 0 }))];
    if (!shown.length) return nothing;
    return html`<fieldset>
      <legend>${legendOf(field)}</legend>
      ${repeat(
        shown,
        (one) => one.value,
        (one) => html`<label class="value">
          <input type="checkbox" .checked=${live(chosen.includes(one.value))}
            @change=${() => this.#go(withChoice(choices, field, { any: toggled(chosen, one.value) }))} />
          <span>${String(one.value)}</span> <small>${count(one.count)}</small>
        </label>`,
      )}
      ${counted.more ? html`<small>and rarer ones</small>` : nothing}
    </fieldset>`;
  }

  #range(legend, field, type, choices) {
    const { gte, lte } = choices.fields.get(field) ?? {};
    const input = (label, name, value) => html`<label>${label}
      <input type=${type === "datetime" ? "date" : "number"} step="any" .value=${live(String(value ?? ""))}
        @change=${({ target }) => this.#go(withChoice(choices, field, { gte, lte, [name]: valueOf(target) }))} />
    </label>`;
    return html`<fieldset>
      <legend>${legend}</legend>
      ${input("From", "gte", gte)} ${input("To", "lte", lte)}
    </fieldset>`;
  }

  #size(choices) {
    return html`<fieldset>
      <legend>Size</legend>
      <label>At least
        <select @change=${({ target }) => this.#go({ ...choices, side: Number(target.value) || null })}>
          <option value="" .selected=${!choices.side}>any size</option>
          ${SIDES_PX.map((side) => html`<option value=${side} .selected=${side === choices.side}>${side} px</option>`)}
        </select>
      </label>
    </fieldset>`;
  }

  async #count(signal) {
    const { collection, filter } = this.#navigation.place;
    const { collections, default_collection } = await this.#api.get("/v1/stats", {}, signal);
    const here = collections.find(({ name }) => name === (collection ?? default_collection));
    this.#fields = here?.fields ?? {};
    const counted = Object.keys(this.#fields).filter((field) => isCounted(field, this.#fields[field]));
    const choices = choicesOf(filter);
    await Promise.all(
      counted.map(async (field) => {
        const others = choices ? treeOf(withChoice(choices, field, null)) : filter;
        const asked = { field, collection, limit: VALUES, filter: others && JSON.stringify(others) };
        this.#facets.set(field, await this.#api.get("/v1/facets", asked, signal));
      }),
    );
  }

  #go(choices) {
    this.#navigation.go({ filter: choices && treeOf(choices), picture: null });
  }

  #follow() {
    if (this.#asked !== this.#question()) this.refresh();
  }

  #question() {
    const { collection, filter } = this.#navigation.place;
    return JSON.stringify([collection, filter]);
  }
}

function isCounted(field, type) {
  return COUNTED.includes(field) || (field.startsWith("metadata.") && COUNTED_TYPES.includes(type));
}

function legendOf(field) {
  return LEGENDS[field] ?? field.replace(/^metadata\./u, "");
}

function toggled(values, value) {
  return values.includes(value) ? values.filter((one) => one !== value) : [...values, value];
}

function valueOf({ type, value }) {
  if (value === "") return undefined;
  return type === "number" ? Number(value) : value;
}
