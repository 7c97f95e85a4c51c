/**
 * The head of the page: its name, the search box, and what else can be opened.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { START } from "../address.js";
import { followed } from "../navigation.js";
import { collectionChoice } from "./collection_choice.js";
import { ADD, FILTER, JOBS, KEYS } from "./icons.js";
import { View } from "./view.js";

const VIEWS = { pictures: "Pictures", duplicates: "Duplicates", status: "Status" };

/** Says with an event what its reader wants: `add`, `filter`, `jobs` or `shortcuts`. */
export class PageHeader extends View {
  #navigation;
  #jobs;
  #access;
  #open = { filter: false, jobs: false };

  /**
   * @param {import("../navigation.js").Navigation} navigation
   * @param {import("../jobs.js").Jobs} jobs
   * @param {import("../access.js").Access} access
   */
  use(navigation, jobs, access) {
    this.#navigation = navigation;
    this.#jobs = jobs;
    this.#access = access;
    for (const one of [navigation, jobs, access]) one.addEventListener("change", () => this.draw());
    this.draw();
  }

  /** @param {"filter" | "jobs"} name @param {boolean} open */
  show(name, open) {
    this.#open[name] = open;
    this.draw();
  }

  template() {
    const { place } = this.#navigation;
    const active = this.#jobs.active.length;
    const start = { ...START, collection: place.collection };
    return html`<header class="page">
      <a class="brand" href=${this.#navigation.addressOf(start)}
        @click=${(event) => followed(event, () => this.#navigation.go(start))}>Sightline</a>
      ${collectionChoice(place, this.#access, (changes) => this.#navigation.go(changes))}
      <search-bar .navigation=${this.#navigation}></search-bar>
      <nav aria-label="Views">${Object.keys(VIEWS).map((view) => this.#link(view, place.view))}</nav>
      <div class="tools">
        ${this.#button("filter", "Filter", FILTER, this.#open.filter, Boolean(place.filter))}
        ${this.#access.mayWrite ? this.#button("add", "Add pictures", ADD) : nothing}
        ${this.#button("jobs", "Jobs", JOBS, this.#open.jobs, active)}
        ${this.#button("shortcuts", "Keyboard shortcuts", KEYS)}
      </div>
    </header>`;
  }

  #link(view, present) {
    const go = { view, picture: null };
    return html`<a href=${this.#navigation.addressOf(go)} aria-current=${view === present ? "page" : "false"}
      @click=${(event) => followed(event, () => this.#navigation.go(go))}>${VIEWS[view]}</a>`;
  }

  #button(name, label, icon, open, mark) {
    return html`<button class="quiet ${mark ? "marked" : ""}" title=${label} aria-label=${label}
      aria-expanded=${open ?? nothing} ?disabled=${name === "filter" && this.#navigation.place.view !== "pictures"}
      @click=${() => this.dispatchEvent(new Event(name))}>${icon}</button>`;
  }
}
