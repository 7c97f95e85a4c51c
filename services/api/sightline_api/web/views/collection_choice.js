/**
 * The choice among collections, where there are several.
 */

import { html, nothing } from "../vendor/lit-html/lit-html.js";

/**
 * @param {import("../address.js").Place} place
 * @param {import("../access.js").Access} access
 * @param {(changes: Partial<import("../address.js").Place>) => void} go
 */
export function collectionChoice(place, access, go) {
  const here = place.collection ?? access.defaultCollection;
  const names = [...new Set([...access.collections, here])];
  if (names.length < 2) return nothing;
  const choose = (name) => {
    const collection = name === access.defaultCollection ? null : name;
    // Another collection has other pictures and other fields; words and the visitor's own pictures stay.
    const references = place.references.filter(({ kind }) => kind === "photo");
    go({ collection, references, filter: null, picture: null });
  };
  return html`<select class="collection" aria-label="Collection" @change=${({ target }) => choose(target.value)}>
    ${names.map((name) => html`<option value=${name} .selected=${name === here}>${name}</option>`)}
  </select>`;
}
