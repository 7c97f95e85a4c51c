/**
 * The one door to the API: every request of the page goes through here.
 *
 * A request that cannot be answered now, because the API is gone, not ready or asks to wait, is sent again
 * until it is answered or its signal aborts it; so callers send what may be done twice. A request that
 * wants a key waits until there is one.
 */

const OVERLOADED = 429;
const UNAUTHORIZED = 401;
const FORBIDDEN = 403;
const NOT_READY = [502, 503, 504];
const SILENT = "Sightline does not answer.";
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 8_000;

/** An answer that is an error: `code` is for programs, `message` for people (RFC 9457). */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {{code?: string, detail?: string}} document
   */
  constructor(status, document) {
    super(document.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.code = document.code ?? "unknown";
  }
}

/**
 * @typedef {object} Request
 * @property {Record<string, ?string | number | boolean>} [query] null and undefined are left out
 * @property {object} [json]
 * @property {FormData} [form]
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 * @property {boolean} [keepalive] goes on after the page is left
 */

/**
 * Says with events how the service is: `gone`, whose `detail` is a sentence about it, and `back`; and what
 * becomes of keys: `signed-in` after one was shown, `refused` when one was good for too little.
 */
export class Api extends EventTarget {
  #askForKey;
  #session = null;
  #gone = false;

  /** @param {() => Promise<void>} askForKey ends when there is a session */
  constructor(askForKey) {
    super();
    this.#askForKey = askForKey;
  }

  /** @param {string} path @param {Request["query"]} [query] @param {AbortSignal} [signal] */
  get(path, query, signal) {
    return this.call("GET", path, { query, signal });
  }

  /** @param {string} path @param {Request} [request] */
  post(path, request) {
    return this.call("POST", path, request);
  }

  /**
   * The answer, parsed; null for an empty one. Throws Problem, and what the signal aborts with.
   * @param {string} method
   * @param {string} path
   * @param {Request} [request]
   */
  async call(method, path, request = {}) {
    for (let wait_ms = FIRST_WAIT_MS; ; wait_ms = Math.min(wait_ms * 2, LONGEST_WAIT_MS)) {
      const answer = await this.#sent(method, path, request);
      if (answer?.status === UNAUTHORIZED) {
        await this.#signedIn();
        wait_ms = FIRST_WAIT_MS;
      } else if (answer === null || NOT_READY.includes(answer.status)) {
        this.#say(await whyNotReady(answer));
        await waited(retryAfter_ms(answer) ?? wait_ms, request.signal);
      } else if (answer.status === OVERLOADED) {
        await waited(retryAfter_ms(answer) ?? wait_ms, request.signal);
      } else {
        this.#back();
        if (answer.status === FORBIDDEN) this.dispatchEvent(new Event("refused"));
        return contentOf(answer);
      }
    }
  }

  /** Whether the service can serve, and per dependency why not. Throws Problem where nothing answers. */
  async readiness() {
    const answer = await this.#sent("GET", "/readyz", {});
    if (answer === null) throw new Problem(0, { detail: SILENT });
    return answer.json();
  }

  /**
   * Exchange a key for a session. Throws Problem where it is wrong.
   * @param {string} key
   */
  async signIn(key) {
    const answer = await this.#sent("POST", "/v1/session", { json: { key } });
    if (answer === null) throw new Problem(0, { detail: SILENT });
    await contentOf(answer);
    this.dispatchEvent(new Event("signed-in"));
  }

  /** Forget the session, and ask for a key. Throws Problem. */
  async useAnotherKey() {
    await this.call("DELETE", "/v1/session");
    await this.#signedIn();
  }

  async #sent(method, path, { query, json, form, headers = {}, signal, keepalive }) {
    const body = json === undefined ? form : JSON.stringify(json);
    const type = json === undefined ? {} : { "Content-Type": "application/json" };
    const init = { method, body, headers: { ...type, ...headers }, signal, keepalive };
    try {
      return await fetch(path + queryString(query), init);
    } catch (error) {
      if (signal?.aborted) throw error;
      return null; // fetch says only "Failed to fetch", whatever is wrong with the network.
    }
  }

  async #signedIn() {
    this.#session ??= this.#askForKey().finally(() => (this.#session = null));
    await this.#session;
  }

  #say(detail) {
    this.#gone = true;
    this.dispatchEvent(new CustomEvent("gone", { detail }));
  }

  #back() {
    if (!this.#gone) return;
    this.#gone = false;
    this.dispatchEvent(new Event("back"));
  }
}

async function contentOf(answer) {
  const text = await answer.text();
  if (answer.ok) return text ? JSON.parse(text) : null;
  throw new Problem(answer.status, documentIn(text));
}

async function whyNotReady(answer) {
  if (answer === null) return SILENT;
  return documentIn(await answer.text()).detail ?? "Sightline is not ready.";
}

function documentIn(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // A proxy's page, say.
  }
}

function queryString(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

function retryAfter_ms(answer) {
  const seconds = Number(answer?.headers.get("Retry-After"));
  return seconds > 0 ? Math.min(seconds * 1000, LONGEST_WAIT_MS) : null;
}

function waited(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const cease = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", cease);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", cease, { once: true });
  });
}
