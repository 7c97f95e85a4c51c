/**
 * Jobs as they go on: what comes in, what failed and why.
 */

const SHOWN = 30;
/** Browsers open six connections to a server; each listener keeps one. */
const LISTENED = 3;
/** At a time, of those that are too old for the list: while thousands of files are sent, there are many. */
const LOOKED_AT = 10;
const LOOK_AGAIN_MS = 3_000;
/** For jobs that were made elsewhere. */
const LOOK_AROUND_MS = 15_000;

const FINAL = ["succeeded", "partial", "failed", "canceled"];
const WITHOUT_PICTURES = ["duplicates", "migration", "export"];

/** @param {{state: string}} job */
export const ended = (job) => FINAL.includes(job.state);

/** @param {{kind: string}} job whether pictures come in with it */
export const brings = (job) => !WITHOUT_PICTURES.includes(job.kind);

/**
 * Says `change` when a job is another than before, `indexed` when there are pictures that were not there
 * before, and `ended` with a job that has ended as its `detail`.
 */
export class Jobs extends EventTarget {
  items = [];
  /** Why the jobs could not be listed; null if they could. */
  error = null;
  #api;
  #listeners = new Map();
  #timer = null;
  /** One and the same, so that it is listened to once, however often the timer ends while nobody looks. */
  #seenAgain = () => this.refresh();

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.#api = api;
  }

  /** Jobs under way. */
  get active() {
    return this.items.filter((job) => !ended(job));
  }

  /** Look which jobs there are, and listen to those under way; from then on, now and then again. */
  async refresh() {
    let before = new Map();
    let listed = new Set();
    try {
      const { items } = await this.#api.get("/v1/jobs", { limit: SHOWN });
      listed = new Set(items.map((job) => job.id));
      before = new Map(this.items.map((job) => [job.id, job]));
      this.items = [...items.map((job) => this.#newer(job)), ...this.active.filter((job) => !listed.has(job.id))];
      this.error = null;
    } catch (error) {
      this.error = error;
    }
    this.dispatchEvent(new Event("change"));
    for (const job of this.items) this.#tell(before.get(job.id), job);
    if (!this.error) await this.#lookAtOthers(listed);
    this.#listen();
  }

  /** Know of no job, and look which there are: another key knows of others. */
  startOver() {
    this.items = [];
    for (const id of [...this.#listeners.keys()]) this.#unlisten(id);
    this.refresh();
  }

  /**
   * Follow a job that was just made.
   * @param {object} job
   */
  add(job) {
    this.items = [job, ...this.items.filter(({ id }) => id !== job.id)];
    this.dispatchEvent(new Event("change"));
    this.#listen();
  }

  /**
   * Look for duplicates in the whole collection.
   * @param {?string} collection
   */
  async scan(collection) {
    this.add(await this.#api.post("/v1/duplicates/scan", { json: { collection } }));
  }

  /** @param {string} id */
  async cancel(id) {
    this.#take(await this.#api.post(`/v1/jobs/${id}/cancel`));
  }

  /**
   * Try what failed again, in a new job.
   * @param {string} id
   * @param {?string} reason only what failed for this reason
   */
  async retry(id, reason) {
    const headers = { "Idempotency-Key": `page-${id}-${reason ?? "all"}-${Date.now()}` };
    this.add(await this.#api.post(`/v1/jobs/${id}/retry`, { json: { reason }, headers }));
  }

  /**
   * What failed in a job, a page of it.
   * @param {string} id
   * @param {?string} reason
   * @param {?string} cursor
   */
  failures(id, reason, cursor) {
    return this.#api.get(`/v1/jobs/${id}/failures`, { reason, cursor });
  }

  #look() {
    if (document.hidden) document.addEventListener("visibilitychange", this.#seenAgain, { once: true });
    else this.refresh();
  }

  #newer(job) {
    const known = this.items.find(({ id }) => id === job.id);
    return known && ended(known) ? known : job;
  }

  /** Jobs under way that nobody listens to, the oldest first: they are worked on, the others wait. */
  get #unheard() {
    const unheard = this.active.filter(({ id }) => !this.#listeners.has(id));
    return unheard.sort((one, other) => Date.parse(one.created_at) - Date.parse(other.created_at));
  }

  async #lookAtOthers(listed) {
    const others = this.#unheard.filter(({ id }) => !listed.has(id));
    for (const { id } of others.slice(0, LOOKED_AT)) {
      try {
        this.#take(await this.#api.get(`/v1/jobs/${id}`));
      } catch (error) {
        // It was cleared away, or is another key's.
        if (error.status < 500) this.items = this.items.filter((job) => job.id !== id);
      }
    }
  }

  #listen() {
    for (const { id } of this.#unheard.slice(0, LISTENED - this.#listeners.size)) this.#listenTo(id);
    this.#lookLater();
  }

  #lookLater() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), this.#unheard.length ? LOOK_AGAIN_MS : LOOK_AROUND_MS);
  }

  #listenTo(id) {
    const source = new EventSource(`/v1/jobs/${id}/events`);
    this.#listeners.set(id, source);
    source.addEventListener("progress", (event) => this.#take(JSON.parse(event.data)));
    source.addEventListener("done", () => {
      this.#unlisten(id);
      this.#listen();
    });
    // A browser comes back by itself where the connection broke, but not after an answer like 401 or 503:
    // whoever looks again later learns what is wrong.
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      this.#unlisten(id);
      this.#lookLater();
    });
  }

  #unlisten(id) {
    this.#listeners.get(id)?.close();
    this.#listeners.delete(id);
  }

  #take(job) {
    const before = this.items.find(({ id }) => id === job.id);
    this.items = this.items.map((one) => (one.id === job.id ? job : one));
    this.dispatchEvent(new Event("change"));
    this.#tell(before, job);
  }

  /** What is new of a job that was known before. */
  #tell(before, job) {
    if (!before) return;
    if (job.counts.indexed > before.counts.indexed) this.dispatchEvent(new Event("indexed"));
    if (ended(job) && !ended(before)) this.dispatchEvent(new CustomEvent("ended", { detail: job }));
  }
}
