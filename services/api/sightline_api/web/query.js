/**
 * A place's query as the API takes it.
 */

import { parse } from "./grammar.js";
import { base64Of, find } from "./photos.js";

/** Of a picture to stay away from: as of an excluded word. */
export const LESS_WEIGHT = -0.5;

/** A picture of the visitor's that the address names is not in this browser. */
export class PhotoMissing extends Error {
  constructor() {
    super("This search has a picture that is on another device, or that made room for later ones. Choose it again, or remove it from the search.");
  }
}

/**
 * The parts of `POST /v1/search`. Throws PhotoMissing.
 * @param {import("./address.js").Place} place
 */
export async function partsOf(place) {
  const texts = parse(place.q).map(({ text, weight }) => ({ text, weight }));
  return [...texts, ...(await Promise.all(place.references.map(partOf)))];
}

async function partOf({ kind, id, box, wanted }) {
  const how = { weight: wanted ? 1 : LESS_WEIGHT, ...(box ? { box } : {}) };
  if (kind === "image") return { image_id: id, ...how };
  const photo = await find(id);
  if (!photo) throw new PhotoMissing();
  return { image_base64: await base64Of(photo), ...how };
}
