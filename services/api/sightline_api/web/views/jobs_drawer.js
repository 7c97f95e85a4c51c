/**
 * What comes in: every job with its progress, and what failed in it and why.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { count, counted, duration, fileOf, rate, time } from "../format.js";
import { ended } from "../jobs.js";
import { CLOSE } from "./icons.js";
import { announce, View } from "./view.js";

const KINDS = {
  upload: "Upload",
  folder: "Folder",
  urls: "Pictures from the web",
  archive: "Archive",
  bucket: "Bucket",
  manifest: "Manifest",
  duplicates: "Looking for duplicates",
  migration: "Another model",
  export: "Export",
  import: "Import of an export",
  retry: "Another try",
};
const STATES = {
  queued: "waiting",
  running: "under way",
  succeeded: "done",
  partial: "done, some failed",
  failed: "failed",
  canceled: "canceled",
};

/** Says `toggle` when it is opened or closed. */
export class JobsDrawer extends View {
  #jobs;
  #uploads;
  #access;
  #faults = [];
  #failures = new Map();

  /**
   * @param {import("../jobs.js").Jobs} jobs
   * @param {import("../uploads.js").Uploads} uploads
   * @param {import("../access.js").Access} access
   */
  use(jobs, uploads, access) {
    this.#jobs = jobs;
    this.#uploads = uploads;
    this.#access = access;
    access.addEventListener("change", () => this.draw());
    jobs.addEventListener("change", () => this.draw());
    jobs.addEventListener("ended", ({ detail }) => announce(`${kindOf(detail)}: ${STATES[detail.state]}. ${outcome(detail)}`));
    uploads.addEventListener("change", () => this.draw());
    uploads.addEventListener("failed", ({ detail }) => this.#complain(detail));
  }

  /** @param {boolean} [open] without it: the other way round */
  toggle(open = this.hidden) {
    this.hidden = !open;
    this.dispatchEvent(new Event("toggle"));
    if (!open) return;
    this.draw();
    this.#jobs.refresh();
  }

  template() {
    return html`<section aria-label="Jobs">
      <header>
        <h2>Jobs</h2>
        <button class="quiet" aria-label="Close" @click=${() => this.toggle(false)}>${CLOSE}</button>
      </header>
      ${this.#faulty().map((fault) => html`<p role="alert" class="fault">${fault}</p>`)} ${this.#sending()}
      ${this.#jobs.items.length ? nothing : html`<p class="notice">Nothing came in yet.</p>`}
      ${repeat(this.#jobs.items, ({ id }) => id, (job) => this.#job(job))}
    </section>`;
  }

  #faulty() {
    return this.#jobs.error ? [...this.#faults, this.#jobs.error.message] : this.#faults;
  }

  #sending() {
    const { sent, total } = this.#uploads;
    if (!total) return nothing;
    return html`<article aria-label="Sending">
      <h3>Sending ${counted(total, "file")}</h3>
      <progress aria-label="Sent" max=${total} value=${sent}></progress>
      <div class="actions"><button @click=${() => this.#uploads.stop()}>Stop sending</button></div>
    </article>`;
  }

  #job(job) {
    const { total, pending } = job.counts;
    return html`<article aria-label="${kindOf(job)}, ${time(job.created_at)}" data-job=${job.id} data-state=${job.state}>
      <h3>${kindOf(job)} <small>${time(job.created_at)}, ${STATES[job.state]}</small></h3>
      ${this.#access.collections.length > 1 ? html`<small>into ${job.collection}</small>` : nothing}
      ${ended(job) ? nothing : progressOf(job, total - pending, total)}
      <p>${outcome(job)}${speed(job)}</p>
      ${job.error ? html`<p class="fault">${job.error.detail}</p>` : nothing} ${this.#reasons(job)}
      ${this.#access.mayWrite && steered(job) ? this.#actions(job) : nothing}
    </article>`;
  }

  #actions(job) {
    const act = ended(job) ? () => this.#jobs.retry(job.id, null) : () => this.#jobs.cancel(job.id);
    if (ended(job) && !job.counts.failed) return nothing;
    return html`<div class="actions">
      <button @click=${() => this.#try(act)}>${ended(job) ? "Retry all" : "Cancel"}</button>
    </div>`;
  }

  #reasons(job) {
    const reasons = Object.entries(job.failures_by_reason);
    if (!reasons.length) return nothing;
    return html`<ul class="reasons" aria-label="What failed">
      ${reasons.map(
        ([reason, number]) => html`<li>
          <span>${count(number)} ${reason.replaceAll("_", " ")}</span>
          <button class="small" aria-label="Show ${reason}" aria-expanded=${this.#failures.has(`${job.id} ${reason}`)}
            @click=${() => this.#show(job, reason)}>Show</button>
          ${ended(job) && this.#access.mayWrite && steered(job)
            ? html`<button class="small" aria-label="Retry ${reason}"
                @click=${() => this.#try(() => this.#jobs.retry(job.id, reason))}>Retry</button>`
            : nothing}
          ${this.#details(job, reason)}
        </li>`,
      )}
    </ul>`;
  }

  #details(job, reason) {
    const page = this.#failures.get(`${job.id} ${reason}`);
    if (!page) return nothing;
    return html`<ul class="failures">
        ${page.items.map(({ source, detail }) => html`<li><b>${fileOf(source)}</b> ${detail}</li>`)}
      </ul>
      ${page.next_cursor ? html`<button class="small" @click=${() => this.#more(job, reason)}>More</button>` : nothing}`;
  }

  #show(job, reason) {
    const key = `${job.id} ${reason}`;
    if (this.#failures.delete(key)) this.draw();
    else this.#more(job, reason);
  }

  #more(job, reason) {
    const key = `${job.id} ${reason}`;
    const { items = [], next_cursor = null } = this.#failures.get(key) ?? {};
    this.#try(async () => {
      const page = await this.#jobs.failures(job.id, reason, next_cursor);
      this.#failures.set(key, { ...page, items: [...items, ...page.items] });
    });
  }

  async #try(act) {
    this.#faults = [];
    try {
      await act();
    } catch (error) {
      this.#faults = [error.message];
    }
    this.draw();
  }

  #complain(sentence) {
    this.#faults = [...this.#faults, sentence];
    this.toggle(true);
  }
}

/** A migration is steered as a whole, and not by its job. */
const steered = (job) => job.kind !== "migration";

const kindOf = (job) => KINDS[job.kind] ?? job.kind;

/** Without a known total there is no share: the bar only says that it goes on. */
function progressOf(job, done, total) {
  const label = kindOf(job);
  if (!job.total_known || !total) return html`<progress aria-label=${label}></progress>`;
  return html`<progress aria-label=${label} max=${total} value=${done}></progress>`;
}

function outcome({ kind, counts }) {
  if (kind === "duplicates") return `${counted(counts.total - counts.pending, "picture")} of ${count(counts.total)} compared`;
  if (kind === "export") return `${counted(counts.unchanged, "picture")} written`;
  const parts = [`${count(counts.indexed)} indexed`];
  if (counts.unchanged) parts.push(`${count(counts.unchanged)} known before`);
  if (counts.failed) parts.push(`${count(counts.failed)} failed`);
  if (counts.canceled) parts.push(`${count(counts.canceled)} canceled`);
  if (counts.pending) parts.push(`${count(counts.pending)} to come`);
  return parts.join(", ");
}

function speed(job) {
  if (ended(job)) return "";
  const said = [job.rate_per_s && rate(job.rate_per_s), job.eta_s && `${duration(job.eta_s)} left`];
  return said.filter(Boolean).map((one) => `, ${one}`).join("");
}
