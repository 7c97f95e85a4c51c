/**
 * Deleting with second thoughts: a picture is gone from the page at once, and from the index after a while.
 */

export const UNDO_MS = 8_000;

/** Says `change` when there are others to be deleted, and `failed`, whose `detail` is a sentence. */
export class Deletions extends EventTarget {
  #api;
  #batches = [];
  #deleted = new Set();

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.#api = api;
    addEventListener("pagehide", () => this.#batches.forEach((batch) => this.#send(batch, true)));
  }

  /** @param {string} id whether this picture is to be deleted, or is deleted */
  has(id) {
    return this.#deleted.has(id);
  }

  /** How many pictures "undo" would bring back. */
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
    ids.forEach((id) => this.#deleted.add(id));
    this.dispatchEvent(new Event("change"));
  }

  /** Bring the pictures back that were to be deleted last. */
  undo() {
    const batch = this.#batches.at(-1);
    if (!batch) return;
    this.#forget(batch);
    this.#restore(batch.ids);
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
      if (error.code === "image_not_found") return;
      this.#restore([id]);
      this.dispatchEvent(new CustomEvent("failed", { detail: error.message }));
    }
  }

  #forget(batch) {
    clearTimeout(batch.timer);
    this.#batches = this.#batches.filter((one) => one !== batch);
  }

  #restore(ids) {
    ids.forEach((id) => this.#deleted.delete(id));
    this.dispatchEvent(new Event("change"));
  }
}
