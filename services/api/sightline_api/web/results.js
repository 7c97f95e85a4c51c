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
 * then "ready", or "failed" with the `error`. An `error` beside "ready" is of a further page, or of the same
 * place once more: the items are there all the same.
 */
export class Results extends EventTarget {
  items = [];
  /** That of the items; null before there are any. */
  place = null;
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
  /** The place that was asked for last. */
  #asked = null;
  #parts = [];
  #all = [];
  #cursor = null;
  /** The cursor of the page that is on its way. */
  #loading = null;
  #abort = new AbortController();
  /** Does once more what could not be done. */
  #again = () => {};

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
    deletions.addEventListener("deleted", ({ detail }) => this.#drop(detail));
  }

  /** @param {import("./address.js").Place} place */
  async show(place) {
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#asked = place;
    this.#loading = null;
    this.state = "loading";
    this.error = null;
    this.dispatchEvent(new Event("change"));
    try {
      const parts = await partsOf(place);
      const page = await this.#page(parts, null, signal);
      if (signal.aborted) return;
      this.place = place;
      this.#parts = parts;
      this.generation += 1;
      this.state = "ready";
      this.#takeFirst(page);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  /** The same place once more, while its pictures stay on the page: there may be others now. */
  async renewAll() {
    if (this.state === "loading") return;
    if (this.state === "failed") return this.show(this.#asked);
    const { signal } = this.#abort;
    try {
      const page = await this.#page(this.#parts, null, signal);
      if (!signal.aborted) this.#takeFirst(page);
    } catch (error) {
      if (!signal.aborted) this.#complain(error, () => this.renewAll());
    }
  }

  /** More of them, unless they are on their way, or could not be had, or there are none. */
  async loadMore() {
    const cursor = this.#cursor;
    if (this.state !== "ready" || !this.more || this.error || cursor === this.#loading) return;
    this.#loading = cursor;
    const { signal } = this.#abort;
    // Where the first page came anew meanwhile, this one does not go on from it.
    const wanted = () => !signal.aborted && cursor === this.#cursor;
    try {
      const page = await this.#page(this.#parts, cursor, signal);
      if (wanted()) this.#take(page);
    } catch (error) {
      if (wanted()) this.#complain(error, () => this.loadMore());
    }
    if (cursor === this.#loading) this.#loading = null;
  }

  /** Once more what the error is about. */
  tryAgain() {
    this.error = null;
    this.dispatchEvent(new Event("change"));
    this.#again();
  }

  /**
   * Show a picture as it is now.
   * @param {object} image
   */
  renew(image) {
    const item = this.#all.find((one) => one.image.id === image.id);
    if (item) item.image = image;
  }

  async #page(parts, cursor, signal) {
    const { filter, sort, collection } = this.#asked;
    const asked = { sort, collection, cursor, limit: PAGE, filter: filter && JSON.stringify(filter) };
    const json = { query: parts, filter, collection, cursor, limit: PAGE };
    try {
      if (searches(this.#asked)) return await this.#api.post("/v1/search", { json, signal });
      return await this.#api.get("/v1/images", asked, signal);
    } catch (error) {
      // It is made when the first pictures come into it.
      if (error.code === "collection_not_found" && this.#access.mayUse(collection)) return NOTHING;
      throw error;
    }
  }

  #takeFirst(page) {
    this.#all = [];
    this.error = null;
    this.noGoodMatch = page.no_good_match ?? false;
    this.warnings = page.warnings ?? [];
    this.#take(page);
  }

  #take({ hits, items, next_cursor }) {
    const page = hits ?? items.map((image) => ({ image, relevance: null }));
    // Pages shift while pictures come in: one may come twice.
    const known = new Set(this.#all.map(({ image }) => image.id));
    this.#all.push(...page.filter(({ image }) => !known.has(image.id)));
    this.#cursor = next_cursor;
    this.more = next_cursor !== null;
    this.#show();
  }

  #show() {
    this.items = this.#all.filter(({ image }) => !this.#deletions.has(image.id, this.place.collection));
    this.dispatchEvent(new Event("change"));
  }

  #drop({ id, collection }) {
    if (collection !== this.place?.collection) return;
    this.#all = this.#all.filter(({ image }) => image.id !== id);
    this.#show();
  }

  #fail(error) {
    this.#all = [];
    this.more = false;
    this.state = "failed";
    this.#complain(error, () => this.show(this.#asked));
  }

  #complain(error, again) {
    this.error = error;
    this.#again = again;
    this.#show();
  }
}
