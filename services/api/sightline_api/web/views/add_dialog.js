/**
 * Adding pictures: files, a folder, or addresses on the web.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { picturesAmong } from "../dropped_files.js";
import { requestKey } from "../request_key.js";
import { CLOSE } from "./icons.js";
import { View } from "./view.js";

/** Says `added` when something is on its way. */
export class AddDialog extends View {
  #api;
  #jobs;
  #uploads;
  #navigation;
  #error = null;
  #sending = false;

  /**
   * @param {import("../api.js").Api} api
   * @param {import("../jobs.js").Jobs} jobs
   * @param {import("../uploads.js").Uploads} uploads
   * @param {import("../navigation.js").Navigation} navigation
   */
  use(api, jobs, uploads, navigation) {
    this.#api = api;
    this.#jobs = jobs;
    this.#uploads = uploads;
    this.#navigation = navigation;
    this.draw();
  }

  /** @param {string} [addresses] to fill in, one per line */
  open(addresses = "") {
    this.querySelector("form").reset();
    this.querySelector("[name=addresses]").value = addresses;
    this.#error = null;
    this.draw();
    this.querySelector("dialog").showModal();
  }

  template() {
    return html`<dialog aria-labelledby="add-heading">
      <form method="dialog" @submit=${(event) => this.#submit(event)}>
        <h2 id="add-heading">Add pictures</h2>
        <p>Or drop files and folders anywhere on the page.</p>
        <label>Files <input type="file" id="add-files" multiple accept="image/*,.heic,.heif,.avif" /></label>
        <label>A folder <input type="file" id="add-folder" webkitdirectory /></label>
        <label>Addresses of pictures, one per line
          <textarea name="addresses" rows="4" placeholder="https://example.org/cat.jpg" spellcheck="false"></textarea>
        </label>
        <label>Tags for all of them <input name="tags" placeholder="holiday, beach" autocomplete="off" /></label>
        ${this.#error ? html`<p role="alert" class="fault">${this.#error}</p>` : nothing}
        <div class="actions"><button class="primary">Add</button></div>
      </form>
      <button class="quiet close" aria-label="Close" @click=${() => this.querySelector("dialog").close()}>${CLOSE}</button>
    </dialog>`;
  }

  async #submit(event) {
    event.preventDefault();
    if (this.#sending) return;
    const { collection } = this.#navigation.place;
    const { addresses, tags } = event.target.elements;
    const about = { collection, tags: listed(tags.value, ",") };
    const files = [...this.querySelector("#add-files").files, ...picturesAmong([...this.querySelector("#add-folder").files])];
    const urls = listed(addresses.value, "\n");
    this.#error = files.length || urls.length ? null : "Choose files or a folder with pictures, or write an address.";
    this.#sending = true;
    try {
      if (urls.length) this.#jobs.add(await this.#fetched(urls, about));
    } catch (error) {
      this.#error = error.message;
    } finally {
      this.#sending = false;
    }
    this.draw();
    if (this.#error) return;
    this.#uploads.add(files, about);
    this.querySelector("dialog").close();
    this.dispatchEvent(new Event("added"));
  }

  #fetched(urls, { tags, collection }) {
    const source = { kind: "urls", items: urls.map((url) => ({ url })) };
    const headers = { "Idempotency-Key": requestKey() };
    return this.#api.post("/v1/ingest", { json: { source, tags, collection }, headers });
  }
}

const listed = (text, separator) => text.split(separator).map((one) => one.trim()).filter(Boolean);
