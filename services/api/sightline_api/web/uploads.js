/**
 * Pictures on their way from this browser to the API, in requests of a size that can be sent again.
 */

import { counted } from "./format.js";
import { requestKey } from "./request_key.js";

const FILES_PER_REQUEST = 100;
const BYTES_PER_REQUEST = 64e6;

/**
 * Says `change` as it goes on, and `failed` with a sentence as its `detail`.
 *
 * `sent` of `total` files are with the API.
 */
export class Uploads extends EventTarget {
  sent = 0;
  total = 0;
  #api;
  #jobs;
  #batches = [];
  #sending = false;
  #abort = new AbortController();

  /** @param {import("./api.js").Api} api @param {import("./jobs.js").Jobs} jobs */
  constructor(api, jobs) {
    super();
    this.#api = api;
    this.#jobs = jobs;
  }

  /**
   * Send files, after those that are on their way; each request makes a job.
   * @param {File[]} files
   * @param {{tags?: string[], collection?: ?string}} [about]
   */
  add(files, { tags = [], collection = null } = {}) {
    if (!files.length) return;
    this.total += files.length;
    this.#batches.push(...batchesOf(files).map((batch) => ({ files: batch, tags, collection, key: requestKey() })));
    this.dispatchEvent(new Event("change"));
    this.#send();
  }

  /** Send nothing more; what was sent stays. */
  stop() {
    this.#batches = [];
    this.#abort.abort();
    this.#abort = new AbortController(); // What is added from now on is wanted.
  }

  /**
   * Say that files could not be read.
   * @param {number} count
   */
  leaveOut(count) {
    const detail = `${counted(count, "file")} could not be read and ${count === 1 ? "was" : "were"} left out.`;
    this.dispatchEvent(new CustomEvent("failed", { detail }));
  }

  async #send() {
    if (this.#sending) return;
    this.#sending = true;
    for (let batch = this.#batches.shift(); batch; batch = this.#batches.shift()) {
      await this.#sendBatch(batch);
      this.sent += batch.files.length;
      this.dispatchEvent(new Event("change"));
    }
    this.#sending = false;
    this.sent = this.total = 0;
    this.dispatchEvent(new Event("change"));
  }

  async #sendBatch({ files: chosen, tags, collection, key }) {
    const { signal } = this.#abort;
    // A file that was moved or changed since fails its request as if the API were gone.
    const files = await readableOf(chosen);
    if (files.length < chosen.length) this.leaveOut(chosen.length - files.length);
    if (!files.length || signal.aborted) return;
    const form = new FormData();
    tags.forEach((tag) => form.append("tags", tag));
    files.forEach((file) => form.append("files", file));
    // The same key each time it is tried: a request whose answer was lost makes no second job.
    const request = { form, query: { collection }, headers: { "Idempotency-Key": key }, signal };
    try {
      this.#jobs.add(await this.#api.post("/v1/images", request));
    } catch (error) {
      if (signal.aborted) return;
      this.dispatchEvent(new CustomEvent("failed", { detail: `${files.length} files were not taken. ${error.message}` }));
    }
  }
}

async function readableOf(files) {
  // One that is gone seems empty: then any part of it can be read, but not the whole.
  const read = await Promise.allSettled(files.map((file) => (file.size ? file.slice(0, 1) : file).arrayBuffer()));
  return files.filter((file, index) => read[index].status === "fulfilled");
}

function batchesOf(files) {
  const batches = [];
  let bytes = Infinity;
  for (const file of files) {
    if (bytes + file.size > BYTES_PER_REQUEST || batches.at(-1).length >= FILES_PER_REQUEST) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1).push(file);
    bytes += file.size;
  }
  return batches;
}
