/**
 * What the query consists of, part by part: each can be removed, or turned round from "more of it" to "less".
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { parse, turnedRound, without } from "../grammar.js";
import { addressOf } from "../photos.js";
import { CLOSE, TURN } from "./icons.js";
import { View } from "./view.js";

/**
 * @typedef {object} Chip
 * @property {string} key
 * @property {string} name
 * @property {?string} thumbnail
 * @property {boolean} wanted
 * @property {object} removed the changes of place that remove it
 * @property {object} turned those that turn it round
 */

export class QueryChips extends View {
  #navigation;
  #photos = new Map();

  /** @param {import("../navigation.js").Navigation} navigation */
  set navigation(navigation) {
    this.#navigation = navigation;
    navigation.addEventListener("change", () => this.#follow());
    this.#follow();
  }

  template() {
    const chips = chipsOf(this.#navigation.place, this.#photos);
    const plain = chips.length === 1 && chips[0].wanted && chips[0].thumbnail === undefined;
    if (plain || !chips.length || this.#navigation.place.view !== "pictures") return nothing;
    return html`<ul class="chips" aria-label="Query">
      ${repeat(chips, ({ key }) => key, (chip) => this.#chip(chip))}
    </ul>`;
  }

  #chip({ name, thumbnail, wanted, removed, turned }) {
    return html`<li class=${wanted ? "chip" : "chip unwanted"}>
      ${thumbnail ? html`<img src=${thumbnail} alt="" />` : nothing}
      <span>${wanted ? nothing : html`<b>less</b>`} ${name}</span>
      <button class="quiet" aria-label="Turn ${name} round" title=${wanted ? "Less of this" : "More of this"}
        @click=${() => this.#navigation.go(turned)}>${TURN}</button>
      <button class="quiet" aria-label="Remove ${name}" title="Remove"
        @click=${() => this.#navigation.go(removed)}>${CLOSE}</button>
    </li>`;
  }

  async #follow() {
    this.draw();
    for (const { kind, id } of this.#navigation.place.references) {
      if (kind === "photo" && !this.#photos.has(id)) this.#photos.set(id, await addressOf(id));
    }
    this.draw();
  }
}

/** @returns {Chip[]} */
function chipsOf({ q, references, collection }, photos) {
  const texts = parse(q).map((part) => ({
    key: `text ${part.weight} ${part.text}`,
    name: part.text,
    wanted: part.weight > 0,
    removed: { q: without(q, part) },
    turned: { q: turnedRound(q, part) },
  }));
  const pictures = references.map((reference, place) => ({
    key: `${reference.kind} ${reference.id} ${reference.box}`,
    name: reference.box ? "part of a picture" : "picture",
    thumbnail: thumbnailOf(reference, collection, photos),
    wanted: reference.wanted,
    removed: { references: references.toSpliced(place, 1) },
    turned: { references: references.with(place, { ...reference, wanted: !reference.wanted }) },
  }));
  return [...texts, ...pictures];
}

function thumbnailOf({ kind, id }, collection, photos) {
  if (kind === "photo") return photos.get(id) ?? null;
  return `/v1/images/${id}/thumbnail${collection ? `?collection=${encodeURIComponent(collection)}` : ""}`;
}
