/**
 * The tags of a picture, to be edited where that is allowed.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { CLOSE } from "./icons.js";

/**
 * @param {string[]} tags
 * @param {?(tags: string[]) => void} set give the picture these tags; null: they may only be looked at
 */
export function tagsOf(tags, set) {
  if (!tags.length && !set) return nothing;
  return html`<h3 id="tags-heading">Tags</h3>
    <ul class="chips" aria-labelledby="tags-heading">
      ${tags.map((tag) => html`<li class="chip"><span>${tag}</span>${set ? removing(tag, tags, set) : nothing}</li>`)}
    </ul>
    ${set ? adding(tags, set) : nothing}`;
}

function removing(tag, tags, set) {
  return html`<button class="quiet" aria-label="Remove tag ${tag}" @click=${() => set(without(tags, tag))}>${CLOSE}</button>`;
}

function adding(tags, set) {
  const add = (event) => {
    event.preventDefault();
    const { tag } = event.target.elements;
    const given = tag.value.trim();
    tag.value = "";
    if (given) set([...without(tags, given), given]);
  };
  return html`<form @submit=${add}>
    <input name="tag" aria-label="Add a tag" placeholder="Add a tag" maxlength="256" autocomplete="off" />
  </form>`;
}

const without = (tags, tag) => tags.filter((one) => one !== tag);
