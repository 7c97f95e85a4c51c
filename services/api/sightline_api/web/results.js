/**
 * The pictures of a place, best or newest first, page by page.
 */

import { searches } from "./address.js";
import { partsOf } from "./query.js";

const PAGE = 100;
const NOTHING = { items: [], next_cursor: null };

/**
 * @typedef {object} Item
 * @property {object} image as the API describes it
 * @property {?number} relevance from 0 to 1; null where pictures are browsed
 */

/**
 * Says `change` whenever there is something else to show.
 *
 * `state` is "loading" until the first page of a place is there (the items are those of the place before),
 * then "ready", or "failed" with the `error`.
 */
export class Results extends EventTarget {
  items = [];
  state = "loading";
  error = null;
  noGoodMatch = false;
  warnings = [];
  more = false;
  /** Grows with every place shown, so that who draws can tell its items from more of the same. */
  generation = 0;

  #api;
  #deletions;
  #access;
  #place = null;
  #parts = [];
  #all = [];
  #cursor = null;
  #loading = null;
  #abort = new AbortController();
  #renewing = false;
  #outdated = false;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./deletions.js").Deletions} deletions
   * @param {import("./access.js").Access} access
   */
  constructor(api, deletions, access) {
    super();
    this.#api = api;
    this.#deletions = deletions;
    this.#access = access;
    deletions.addEventListener("change", () => this.#show());
  }

  /** @param {import("./address.js").Place} place */
  async show(place) {
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#place = place;
    this.#loading = null;
    this.state = "loading";
    this.dispatchEvent(new Event("change"));
    try {
      const parts = await partsOf(place);
      const page = await this.#page(parts, null, signal);
      if (signal.aborted) return;
      this.#parts = parts;
      this.#all = [];
      this.generation += 1;
      this.state = "ready";
      this.error = null;
      this.#take(page);
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(error);
    }
  }

  /** The same place once more, while its pictures stay on the page: there may be others now. */
  async renewAll() {
    if (this.state === "failed") this.show(this.#place);
    this.#outdated = true;
    if (this.#renewing || this.state !== "ready") return;
    this.#renewing = true;
    const { signal } = this.#abort;
    while (this.#outdated && !signal.aborted) {
      this.#outdated = false;
      await this.#renewFirstPage(signal);
    }
    this.#renewing = false;
    if (signal.aborted && this.#outdated) this.renewAll();
  }

  /** More of them, unless they are on their way or there are none. */
  loadMore() {
    if (this.state !== "ready" || !this.more || this.#loading) return;
    const { signal } = this.#abort;
    this.#loading = this.#page(this.#parts, this.#cursor, signal)
      .then((page) => this.#take(page))
      .catch((error) => signal.aborted || this.#fail(error))
      .finally(() => signal.aborted || (this.#loading = null));
  }

  /**
   * Show a picture as it is now.
   * @param {object} image
   */
  renew(image) {
    const item = this.#all.find((one) => one.image.id === image.id);
    if (item) item.image = image;
  }

  async #renewFirstPage(signal) {
    try {
      const page = await this.#page(this.#parts, null, signal);
      if (signal.aborted) return;
      this.#all = [];
      if (searches(this.#place)) this.generation += 1; // Their relevance is another.
      this.#take(page);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  async #page(parts, cursor, signal) {
    const { filter, sort, collection } = this.#place;
    const asked = { sort, collection, cursor, limit: PAGE, filter: filter && JSON.stringify(filter) };
    const json = { query: parts, filter, collection, cursor, limit: PAGE };
    try {
      if (searches(this.#place)) return await this.#api.post("/v1/search", { json, signal });
      return await this.#api.get("/v1/images", asked, signal);
    } catch (error) {
      // It is made when the first pictures come into it.
      if (error.code === "collection_not_found" && this.#access.mayUse(collection)) return NOTHING;
      throw error;
    }
  }

  #take({ hits, items, next_cursor, no_good_match = false, warnings = [] }) {
    const page = hits ?? items.map((image) => ({ image, relevance: null }));
    if (!this.#all.length) {
      this.noGoodMatch = no_good_match;
      this.warnings = warnings;
    }
    // Pages shift while pictures come in: one may come twice.
    const known = new Set(this.#all.map(({ image }) => image.id));
    this.#all.push(...page.filter(({ image }) => !known.has(image.id)));
    this.#cursor = next_cursor;
    this.more = next_cursor !== null;
    this.#show();
  }

  #show() {
    this.items = this.#all.filter(({ image }) => !this.#deletions.has(image.id));
    this.dispatchEvent(new Event("change"));
  }

  #fail(error) {
    this.#all = [];
    this.more = false;
    this.state = "failed";
    this.error = error;
    this.#show();
  }
}
