/**
 * What the visitor may do, and in which collections: the page offers that and nothing else. The API refuses
 * the rest all the same.
 */

/** Until the API has said it, and where it cannot: everything, for whatever is too much is refused. */
const ANYBODY = { id: null, name: "", scope: "admin", collections: null, default_collection: "images" };

/** Says `change` when there is more to know of it, and `another` when the visitor has shown another key. */
export class Access extends EventTarget {
  #api;
  #caller = ANYBODY;
  #existing = [];

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.#api = api;
    api.addEventListener("signed-in", () => this.learn());
    api.addEventListener("refused", () => this.learn()); // Another tab may have shown another key.
  }

  /** Ask what the key is good for, and which collections there are; ends when the first is known. */
  async learn() {
    const before = this.#caller;
    try {
      this.#caller = await this.#api.get("/v1/caller");
    } catch {
      return; // Whatever is wrong with it, the pictures come with a sentence about it.
    }
    this.dispatchEvent(new Event("change"));
    if (before.id !== null && before.id !== this.#caller.id) this.dispatchEvent(new Event("another"));
    this.lookAround();
  }

  /** Ask which collections there are. */
  async lookAround() {
    try {
      const { items } = await this.#api.get("/v1/collections");
      this.#existing = items.map(({ name }) => name);
    } catch {
      return; // As above: the choice stays as it was.
    }
    this.dispatchEvent(new Event("change"));
  }

  /** Whether pictures may be added, changed and deleted. */
  get mayWrite() {
    return this.#caller.scope !== "read";
  }

  /** The name of the key and what it is good for; null where no key is needed. */
  get key() {
    const { id, name, scope, collections } = this.#caller;
    return id === null || id === "anonymous" ? null : { name, scope, collections };
  }

  /** @param {?string} collection null: the API's default */
  mayUse(collection) {
    const { collections, default_collection } = this.#caller;
    return collections === null || collections.includes(collection ?? default_collection);
  }

  /** The collection to begin with, as an address has it: null is the API's default. */
  get home() {
    return this.mayUse(null) ? null : this.#caller.collections[0];
  }

  /** The name of the API's default collection. */
  get defaultCollection() {
    return this.#caller.default_collection;
  }

  /** The names of those that can be chosen, home first: they exist, or come to be with their first picture. */
  get collections() {
    const first = this.home ?? this.defaultCollection;
    return [...new Set([first, ...(this.#caller.collections ?? []), ...this.#existing].filter((one) => this.mayUse(one)))];
  }
}
