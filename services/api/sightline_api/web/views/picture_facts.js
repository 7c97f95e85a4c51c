/**
 * What is known of a picture.
 */

import { html } from "../vendor/lit-html/lit-html.js";
import { placeOfSource, share, sizeOf, time } from "../format.js";

/**
 * @param {object} image as the API describes it
 * @param {?number} relevance
 */
export function factsOf(image, relevance) {
  const facts = [
    ["Relevance", relevance === null ? null : share(relevance)],
    ["Size", sizeOf(image)],
    ["Taken", image.taken_at && time(image.taken_at)],
    ["Camera", image.camera],
    ["Place", image.location && `${image.location.lat.toFixed(5)}, ${image.location.lon.toFixed(5)}`],
    ["Seen in it", image.auto_tags.join(", ")],
    ...Object.entries(image.metadata).map(([name, value]) => [name, readable(value)]),
    ["Found in", image.sources.map(({ uri }) => html`<div>${placeOfSource(uri)}</div>`)],
    ["Indexed", time(image.indexed_at)],
    ["Original", html`<a href=${image.original_url} target="_blank" rel="noreferrer">open the file</a>`],
  ];
  return html`<dl>
    ${facts.filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
  </dl>`;
}

const readable = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
