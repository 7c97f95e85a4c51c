/**
 * What the page shows, and the address that says so: whoever opens the address sees the same.
 */

/**
 * A picture in the query.
 * @typedef {object} Reference
 * @property {"image" | "photo"} kind an indexed picture, or one of the visitor's own (see photos.js)
 * @property {string} id
 * @property {?number[]} box left, top, right and bottom as fractions: the part that is meant
 * @property {boolean} wanted more like it, or less
 */

/**
 * @typedef {object} Place
 * @property {"pictures" | "duplicates" | "status"} view
 * @property {string} q text, in the short grammar
 * @property {Reference[]} references
 * @property {?object} filter the API's filter tree
 * @property {"-sort_at" | "sort_at" | "-indexed_at" | "indexed_at"} sort of pictures that are browsed
 * @property {?string} collection the API's default where it is null
 * @property {?string} picture the one that is open
 */

/** @type {Readonly<Place>} */
export const START = Object.freeze({
  view: "pictures",
  q: "",
  references: [],
  filter: null,
  sort: "-sort_at",
  collection: null,
  picture: null,
});

const VIEWS = ["pictures", "duplicates", "status"];
const SORTS = ["-sort_at", "sort_at", "-indexed_at", "indexed_at"];
const REFERENCES = {
  like: { kind: "image", wanted: true },
  unlike: { kind: "image", wanted: false },
  photo: { kind: "photo", wanted: true },
  unphoto: { kind: "photo", wanted: false },
};

/**
 * The place that the query of an address names; what it does not understand is as at the start.
 * @param {string} search
 * @returns {Place}
 */
export function placeOf(search) {
  const given = new URLSearchParams(search);
  const chosen = (name, among) => (among.includes(given.get(name)) ? given.get(name) : START[name]);
  return {
    view: chosen("view", VIEWS),
    q: given.get("q") ?? START.q,
    references: [...given].filter(([name]) => Object.hasOwn(REFERENCES, name)).map(referenceOf),
    filter: filterOf(given.get("filter")),
    sort: chosen("sort", SORTS),
    collection: given.get("collection") || null,
    picture: given.get("picture") || null,
  };
}

/**
 * The address of a place, as a link of the page has it: its query with its question mark, if it has one.
 * @param {Place} place
 */
export function searchOf(place) {
  const said = new URLSearchParams();
  for (const name of ["view", "q", "sort", "collection", "picture"]) {
    if (place[name] !== START[name]) said.set(name, place[name]);
  }
  for (const { kind, id, box, wanted } of place.references) {
    const name = Object.keys(REFERENCES).find(
      (one) => REFERENCES[one].kind === kind && REFERENCES[one].wanted === wanted,
    );
    said.append(name, box ? `${id}@${box.join(",")}` : id);
  }
  if (place.filter) said.set("filter", JSON.stringify(place.filter));
  return said.size ? `?${said}` : "./";
}

/**
 * Whether a place asks for something, rather than to browse.
 * @param {Place} place
 */
export function searches(place) {
  return Boolean(place.q.trim()) || place.references.length > 0;
}

function referenceOf([name, value]) {
  const [id, box] = value.split("@");
  const sides = box?.split(",").map(Number);
  const whole = sides?.length !== 4 || sides.some((side) => !(side >= 0 && side <= 1));
  return { ...REFERENCES[name], id, box: whole ? null : sides };
}

function filterOf(text) {
  try {
    const tree = JSON.parse(text ?? "null");
    return typeof tree === "object" ? tree : null;
  } catch {
    return { unreadable: text };
  }
}
