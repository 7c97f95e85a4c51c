/**
 * Files that are dragged over the page or pasted into it: added, or, a single picture, searched by.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { filesOf } from "../dropped_files.js";
import { View } from "./view.js";

const NO_ADDING = "Your key is good for looking at pictures, not for adding any.";
const NOT_ONE = "A search takes one picture at a time. Nothing was added.";
const ADDRESSES = /^\s*(https?:\/\/\S+\s*)+$/u;

/**
 * Says with events what to do, each with what it is done with as its `detail`: `search` (a File), `add`
 * (`files`, and how many are `unread`), `add-addresses` (text). What may not be added is not offered to be.
 */
export class DropZones extends View {
  #access;
  #dragged = 0;
  #depth = 0;
  #refusal = null;

  /** @param {import("../access.js").Access} access */
  set access(access) {
    this.#access = access;
  }

  connectedCallback() {
    document.addEventListener("dragenter", (event) => this.#enter(event));
    document.addEventListener("dragover", (event) => this.#dragged && event.preventDefault());
    document.addEventListener("dragleave", () => this.#leave());
    document.addEventListener("drop", (event) => this.#drop(event));
    document.addEventListener("paste", (event) => this.#paste(event));
    for (const event of ["pointerdown", "keydown"]) {
      document.addEventListener(event, () => this.#refusal && this.#refuse(null));
    }
    this.draw();
  }

  template() {
    if (!this.#dragged) return this.#refusal ? html`<p role="alert" class="refusal">${this.#refusal}</p>` : nothing;
    const [one, { mayWrite }] = [this.#dragged === 1, this.#access];
    return html`<div class="zones">
      ${one ? html`<div class="zone" data-does="search">Search with it</div>` : nothing}
      ${mayWrite ? html`<div class="zone" data-does="add">Add to the pictures</div>` : nothing}
      ${one || mayWrite ? nothing : html`<div class="zone">${NO_ADDING}</div>`}
    </div>`;
  }

  #enter(event) {
    const files = [...event.dataTransfer.items].filter(({ kind }) => kind === "file").length;
    if (!files) return;
    event.preventDefault();
    this.#depth += 1;
    this.#dragged = files;
    this.#refuse(null);
  }

  #leave() {
    this.#depth = Math.max(this.#depth - 1, 0);
    if (!this.#depth) this.#end();
  }

  #end() {
    this.#depth = 0;
    this.#dragged = 0;
    this.draw();
  }

  async #drop(event) {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    const searched = event.target.closest?.("[data-does=search]");
    this.#end();
    const { files, unread } = await filesOf(event.dataTransfer);
    // A folder is dragged as one thing, and may hold many.
    if (searched) return files.length === 1 ? this.#say("search", files[0]) : this.#refuse(NOT_ONE);
    if (this.#access.mayWrite) this.#say("add", { files, unread });
  }

  #refuse(sentence) {
    this.#refusal = sentence;
    this.draw();
  }

  #paste(event) {
    const picture = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
    const text = event.clipboardData.getData("text/plain");
    const elsewhere = event.target.closest?.("input, textarea") || !this.#access.mayWrite;
    if (picture) this.#say("search", picture);
    else if (!elsewhere && ADDRESSES.test(text)) this.#say("add-addresses", text.trim());
    else return;
    event.preventDefault();
  }

  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
