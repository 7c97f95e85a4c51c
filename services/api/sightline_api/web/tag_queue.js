/**
 * Tags on their way to the API, one change after another: who adds two quickly keeps both.
 */

export class TagQueue {
  /** How many changes the API has not answered yet. */
  waiting = 0;
  #api;
  #last = Promise.resolve();

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.#api = api;
  }

  /**
   * Give a picture these tags, once all changes before are sent. Throws Problem.
   * @param {string} id
   * @param {?string} collection
   * @param {string[]} tags
   * @returns {Promise<object>} the picture as the API has it then
   */
  send(id, collection, tags) {
    this.waiting += 1;
    const sent = this.#last
      .then(() => this.#api.call("PATCH", `/v1/images/${id}`, { query: { collection }, json: { tags } }))
      .finally(() => (this.waiting -= 1));
    this.#last = sent.catch(() => {});
    return sent;
  }
}
