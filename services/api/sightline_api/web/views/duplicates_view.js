/**
 * Duplicates side by side, to keep one of each group.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { counted, nameOf, placeOfSource, sizeOf, time } from "../format.js";
import { followed } from "../navigation.js";
import { View } from "./view.js";

const KINDS = { exact: "Same file", perceptual: "Look the same", semantic: "Show the same" };
const TAKES = "It takes seconds for thousands of pictures.";

export class DuplicatesView extends View {
  #api;
  #navigation;
  #jobs;
  #deletions;
  #access;
  #kind = "perceptual";
  #groups = null;
  #error = null;
  #scan = null;

  /**
   * @param {import("../api.js").Api} api
   * @param {import("../navigation.js").Navigation} navigation
   * @param {import("../jobs.js").Jobs} jobs
   * @param {import("../deletions.js").Deletions} deletions
   * @param {import("../access.js").Access} access
   */
  use(api, navigation, jobs, deletions, access) {
    this.#api = api;
    this.#navigation = navigation;
    this.#jobs = jobs;
    this.#deletions = deletions;
    this.#access = access;
    navigation.addEventListener("change", () => this.#follow());
    deletions.addEventListener("deleted", ({ detail }) => this.#drop(detail));
    jobs.addEventListener("ended", ({ detail }) => detail.kind === "duplicates" && this.#load());
    for (const one of [jobs, deletions, access]) one.addEventListener("change", () => this.#visible && this.draw());
    this.#follow();
  }

  template() {
    const scanning = this.#jobs.active.some(({ kind }) => kind === "duplicates");
    return html`<section aria-labelledby="duplicates-heading">
      <h1 id="duplicates-heading">Duplicates</h1>
      <div class="toolbar">
        <div role="radiogroup" aria-label="Kind" class="choice">
          ${Object.entries(KINDS).map(
            ([kind, name]) => html`<label><input type="radio" name="kind" .checked=${kind === this.#kind}
              @change=${() => this.#choose(kind)} /> ${name}</label>`,
          )}
        </div>
        ${this.#access.mayWrite
          ? html`<button ?disabled=${scanning} @click=${() => this.#look()}>Look for duplicates</button>`
          : nothing}
      </div>
      ${this.#error ? html`<p role="alert" class="fault">${this.#error.message}</p>` : nothing}
      ${scanning ? html`<p class="notice">Comparing all pictures… <progress aria-label="Comparing"></progress></p>` : this.#found()}
    </section>`;
  }

  #found() {
    if (!this.#groups) return this.#error ? nothing : html`<p class="notice">Loading…</p>`;
    const { computed_at, items, next_cursor } = this.#groups;
    if (!computed_at) return html`<p class="notice">Nobody has looked yet. ${this.#access.mayWrite ? TAKES : nothing}</p>`;
    const groups = items.map((group) => this.#left(group)).filter(({ images }) => images.length > 1 || sameFiles(images));
    return html`
      <p class="notice">${groups.length ? nothing : "None were found."} Looked for on ${time(computed_at)}.</p>
      ${groups.map((group) => this.#group(group))}
      ${next_cursor ? html`<button @click=${() => this.#load(next_cursor)}>More groups</button>` : nothing}
    `;
  }

  #group({ images }) {
    const files = images.length === 1;
    return html`<fieldset class="group">
      <legend>${files ? `One picture in ${counted(images[0].sources.length, "file")}` : counted(images.length, "picture")}</legend>
      <ul>
        ${images.map((image) => this.#picture(image, images))}
      </ul>
    </fieldset>`;
  }

  #picture(image, images) {
    const others = images.filter(({ id }) => id !== image.id).map(({ id }) => id);
    const href = this.#navigation.addressOf({ picture: image.id });
    return html`<li>
      <a href=${href} aria-label=${nameOf(image)} data-id=${image.id}
        @click=${(event) => followed(event, () => this.#navigation.go({ picture: image.id }))}>
        <img src=${image.thumbnail_url} alt="" loading="lazy" />
      </a>
      ${image.sources.map(({ uri }) => html`<div class="source">${placeOfSource(uri)}</div>`)}
      <small>${sizeOf(image)}</small>
      ${others.length && this.#access.mayWrite
        ? html`<button aria-label="Keep this one: ${nameOf(image)}"
            @click=${() => this.#deletions.schedule(others, this.#navigation.place.collection)}>Keep this one</button>`
        : nothing}
    </li>`;
  }

  get #visible() {
    return this.#navigation.place.view === "duplicates";
  }

  #left(group) {
    const { collection } = this.#navigation.place;
    return { ...group, images: group.images.filter(({ id }) => !this.#deletions.has(id, collection)) };
  }

  #drop({ id, collection }) {
    if (!this.#groups || collection !== this.#navigation.place.collection) return;
    const items = this.#groups.items.map((group) => ({ ...group, images: group.images.filter((one) => one.id !== id) }));
    this.#groups = { ...this.#groups, items };
    this.draw();
  }

  #choose(kind) {
    this.#kind = kind;
    this.#groups = null;
    this.#load();
  }

  #follow() {
    const { view, collection } = this.#navigation.place;
    this.hidden = !this.#visible;
    const asked = `${view} ${collection}`;
    if (this.#visible && asked !== this.#scan) {
      this.#groups = null;
      this.#load();
    }
    this.#scan = asked;
  }

  async #look() {
    await this.#try(() => this.#jobs.scan(this.#navigation.place.collection));
  }

  async #load(cursor = null) {
    if (!this.#visible) return;
    const { collection } = this.#navigation.place;
    const kind = this.#kind;
    const before = cursor ? this.#groups.items : [];
    const asked = () => kind === this.#kind && collection === this.#navigation.place.collection;
    await this.#try(async () => {
      const page = await this.#api.get("/v1/duplicates", { kind, collection, cursor });
      if (asked()) this.#groups = { ...page, items: [...before, ...page.items] };
    }, asked);
  }

  async #try(act, wanted = () => true) {
    this.#error = null;
    this.draw();
    try {
      await act();
    } catch (error) {
      if (wanted()) this.#error = error;
    }
    this.draw();
  }
}

const sameFiles = (images) => images.length === 1 && images[0].sources.length > 1;
