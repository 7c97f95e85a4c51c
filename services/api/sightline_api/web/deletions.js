/**
 * Deleting with second thoughts: a picture is gone from the page at once, and from the index after a while.
 */

export const UNDO_MS = 8_000;

/**
 * Says `change` when there are others to be deleted; `deleted`, with the `id` and the `collection` of a picture
 * that is deleted as its `detail`; and `failed`, whose `detail` is a sentence.
 */
export class Deletions extends EventTarget {
  #api;
  #batches = [];
  #going = new Set();

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.#api = api;
    addEventListener("pagehide", () => this.#batches.forEach((batch) => this.#send(batch, true)));
  }

  /**
   * Whether a picture is to be deleted, or is just being.
   * @param {string} id the same in every collection that has the picture
   * @param {?string} collection
   */
  has(id, collection) {
    return this.#going.has(keyOf(id, collection));
  }

  /** How many pictures will be deleted, unless it is undone. */
  get waiting() {
    return this.#batches.reduce((sum, { ids }) => sum + ids.length, 0);
  }

  /** How many of them "undo" would bring back: those that were deleted together, last. */
  get undoable() {
    return this.#batches.at(-1)?.ids.length ?? 0;
  }

  /**
   * Delete pictures, unless it is undone within UNDO_MS.
   * @param {string[]} ids
   * @param {?string} collection
   */
  schedule(ids, collection) {
    const batch = { ids, collection };
    batch.timer = setTimeout(() => this.#send(batch, false), UNDO_MS);
    this.#batches.push(batch);
    ids.forEach((id) => this.#going.add(keyOf(id, collection)));
    this.dispatchEvent(new Event("change"));
  }

  /** Bring the pictures back that were to be deleted last. */
  undo() {
    const batch = this.#batches.at(-1);
    if (!batch) return;
    this.#forget(batch);
    this.#restore(batch);
  }

  #send(batch, keepalive) {
    this.#forget(batch);
    this.dispatchEvent(new Event("change"));
    for (const id of batch.ids) this.#delete(id, batch.collection, keepalive);
  }

  async #delete(id, collection, keepalive) {
    try {
      await this.#api.call("DELETE", `/v1/images/${id}`, { query: { collection }, keepalive });
    } catch (error) {
      if (error.code !== "image_not_found") {
        this.#restore({ ids: [id], collection });
        this.dispatchEvent(new CustomEvent("failed", { detail: error.message }));
        return;
      }
    }
    this.dispatchEvent(new CustomEvent("deleted", { detail: { id, collection } }));
    this.#going.delete(keyOf(id, collection)); // It may be added again, and is to be seen then.
  }

  #forget(batch) {
    clearTimeout(batch.timer);
    this.#batches = this.#batches.filter((one) => one !== batch);
  }

  #restore({ ids, collection }) {
    ids.forEach((id) => this.#going.delete(keyOf(id, collection)));
    this.dispatchEvent(new Event("change"));
  }
}

const keyOf = (id, collection) => JSON.stringify([id, collection]);
