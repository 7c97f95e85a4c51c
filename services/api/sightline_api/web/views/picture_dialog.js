/**
 * One picture, large, with what is known of it and what can be done with it.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { keyed } from "../vendor/lit-html/directives/keyed.js";
import { nameOf } from "../format.js";
import { TagQueue } from "../tag_queue.js";
import { BEFORE, CLOSE, NEXT } from "./icons.js";
import { factsOf } from "./picture_facts.js";
import { loadOriginal } from "./picture_original.js";
import { tagsOf } from "./picture_tags.js";
import { announce, View } from "./view.js";

export class PictureDialog extends View {
  #api;
  #navigation;
  #results;
  #deletions;
  #access;
  #image = null;
  /** It, as the API has it. */
  #saved = null;
  #error = null;
  #large = null;
  #cropping = false;
  /** Of what is asked for because of the picture that is shown. */
  #abort = new AbortController();
  #tagQueue;

  /**
   * @param {import("../api.js").Api} api
   * @param {import("../navigation.js").Navigation} navigation
   * @param {import("../results.js").Results} results
   * @param {import("../deletions.js").Deletions} deletions
   * @param {import("../access.js").Access} access
   */
  use(api, navigation, results, deletions, access) {
    this.#api = api;
    this.#navigation = navigation;
    this.#results = results;
    this.#deletions = deletions;
    this.#access = access;
    this.#tagQueue = new TagQueue(api);
    navigation.addEventListener("change", () => this.#follow());
    for (const one of [results, access]) one.addEventListener("change", () => this.draw());
    this.draw();
    this.#follow();
  }

  template() {
    return html`<dialog aria-label="Picture" @close=${() => this.#close()} @keydown=${(event) => this.#press(event)}>
      ${this.#image ? this.#picture(this.#image) : html`<p class="notice">${this.#error?.message ?? "Loading…"}</p>`}
      <button class="quiet close" aria-label="Close" title="Close (Esc)" @click=${() => this.#dialog.close()}>
        ${CLOSE}
      </button>
    </dialog>`;
  }

  drawn() {
    const { picture } = this.#navigation.place;
    if (picture && !this.#dialog.open) this.#dialog.showModal();
    if (!picture && this.#dialog.open) this.#dialog.close();
    this.querySelector(".frame")?.style.setProperty("--ratio", this.#image.width / this.#image.height || 1);
    this.querySelector(".frame")?.style.setProperty("--width", `${Math.max(this.#image.width, 384)}px`);
  }

  get #dialog() {
    return this.querySelector("dialog");
  }

  #picture(image) {
    const { before, next } = this.#neighbours();
    const { mayWrite } = this.#access;
    return html`
      <div class="stage">
        <button class="quiet step" aria-label="Previous picture" title="Previous (←)" ?disabled=${!before}
          @click=${() => this.#goTo(before)}>${BEFORE}</button>
        <div class="frame">
          ${keyed(image.id, html`<img src=${this.#large ?? image.thumbnail_url} alt=${nameOf(image)} />`)}
          ${this.#cropping
            ? html`<crop-box @choose=${({ detail }) => this.#searchInside(detail)} @leave=${() => this.#crop(false)}></crop-box>`
            : nothing}
        </div>
        <button class="quiet step" aria-label="Next picture" title="Next (→)" ?disabled=${!next}
          @click=${() => this.#goTo(next)}>${NEXT}</button>
      </div>
      <div class="about">
        <h2>${nameOf(image)}</h2>
        <div class="actions">
          <button title="m" @click=${() => this.#refer(true)}>More like this</button>
          <button title="l" @click=${() => this.#refer(false)}>Less like this</button>
          <button title="i" aria-pressed=${this.#cropping} @click=${() => this.#crop(!this.#cropping)}>Search inside</button>
          ${mayWrite
            ? html`<button class="danger" title="Delete" @click=${() => this.#delete()}>Delete</button>`
            : nothing}
        </div>
        ${tagsOf(image.tags, mayWrite ? (tags) => this.#setTags(tags) : null)}
        ${this.#error ? html`<p role="alert" class="fault">${this.#error.message}</p>` : nothing}
        ${factsOf(image, this.#relevanceOf(image))}
      </div>
    `;
  }

  #relevanceOf({ id }) {
    return this.#results.items.find(({ image }) => image.id === id)?.relevance ?? null;
  }

  async #follow() {
    const { picture, collection } = this.#navigation.place;
    const same = picture === this.#image?.id;
    if (!same) {
      this.#abort.abort();
      this.#abort = new AbortController();
      this.#show(this.#results.items.find(({ image }) => image.id === picture)?.image ?? null);
    }
    this.draw();
    if (!picture || same) return;
    const { signal } = this.#abort;
    const here = () => !signal.aborted && this.#navigation.place.collection === collection;
    try {
      const image = await this.#api.get(`/v1/images/${encodeURIComponent(picture)}`, { collection }, signal);
      if (here() && !this.#tagQueue.waiting) this.#renew(image);
    } catch (error) {
      if (here()) this.#error = error;
    }
    this.draw();
  }

  #show(image) {
    this.#image = this.#saved = image;
    this.#error = null;
    this.#large = null;
    this.#cropping = false;
    if (!image) return;
    announce(nameOf(image));
    this.#loadLarge(image);
  }

  #renew(image) {
    if (!this.#image) this.#show(image);
    this.#image = this.#saved = image;
    this.#results.renew(image);
  }

  /** The original takes the thumbnail's place once it is there. */
  async #loadLarge(image) {
    const { signal } = this.#abort;
    const large = await loadOriginal(image, signal);
    if (signal.aborted) return;
    this.#large = large;
    this.draw();
  }

  #neighbours() {
    const { items } = this.#results;
    const here = items.findIndex(({ image }) => image.id === this.#image.id);
    if (here >= items.length - 2) this.#results.loadMore();
    return { before: items[here - 1]?.image.id, next: here < 0 ? undefined : items[here + 1]?.image.id };
  }

  #goTo(id) {
    if (id) this.#navigation.go({ picture: id }, { replace: true });
  }

  #refer(wanted, box = null) {
    const { id } = this.#image;
    const others = this.#navigation.place.references.filter((one) => one.id !== id || one.box);
    this.#navigation.go({ references: [...others, { kind: "image", id, box, wanted }], view: "pictures", picture: null });
  }

  #searchInside(box) {
    this.#refer(true, box);
  }

  #crop(cropping) {
    this.#cropping = cropping;
    this.draw();
  }

  #delete() {
    const { id } = this.#image;
    const { before, next } = this.#neighbours();
    this.#deletions.schedule([id], this.#navigation.place.collection);
    this.#navigation.go({ picture: next ?? before ?? null }, { replace: true });
  }

  /** They are shown at once, and are as the API has them when no other change waits. */
  async #setTags(tags) {
    const { id } = this.#image;
    this.#image = { ...this.#image, tags };
    this.#error = null;
    this.draw();
    const here = () => this.#image?.id === id;
    try {
      const image = await this.#tagQueue.send(id, this.#navigation.place.collection, tags);
      announce(`Tags: ${tags.join(", ") || "none"}`);
      if (here()) this.#saved = image;
      this.dispatchEvent(new Event("tagged"));
    } catch (error) {
      if (here()) this.#error = error;
    }
    if (!this.#tagQueue.waiting && here()) this.#renew(this.#saved);
    this.draw();
  }

  #press(event) {
    if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey || !this.#image) return;
    if (event.target.closest("crop-box")) return;
    if (event.repeat && event.key === "Delete") return; // The next picture is not meant by a key held too long.
    const { before, next } = this.#neighbours();
    const acts = {
      ArrowLeft: () => this.#goTo(before),
      ArrowRight: () => this.#goTo(next),
      m: () => this.#refer(true),
      l: () => this.#refer(false),
      i: () => this.#crop(true),
      ...(this.#access.mayWrite && {
        t: () => this.querySelector("[name=tag]").focus(),
        Delete: () => this.#delete(),
      }),
    };
    if (!Object.hasOwn(acts, event.key)) return;
    event.preventDefault();
    acts[event.key]();
  }

  #close() {
    if (!this.#navigation.place.picture) return;
    const last = this.#image?.id;
    this.#navigation.go({ picture: null });
    if (last) this.dispatchEvent(new CustomEvent("left", { detail: last }));
  }
}
