/**
 * Pictures of the visitor's own that are searched by. They stay in this browser, so that "back" and
 * "reload" find them; an address names them, but holds none: elsewhere it says that one is missing.
 */

import { delMany, get, keys, set } from "./vendor/idb-keyval/index.js";

/** The latest; whatever was kept before them makes room. */
const KEPT = 20;

const shown = new Map();

/**
 * Keep a picture.
 * @param {File} file
 * @returns {Promise<string>} its id
 */
export async function keep(file) {
  await forget((await keys()).slice(0, 1 - KEPT));
  const id = newId();
  await set(id, file);
  return id;
}

/**
 * @param {string} id
 * @returns {Promise<?File>} null where this browser does not have it
 */
export async function find(id) {
  return (await get(id)) ?? null;
}

/**
 * An address under which this page can show a picture.
 * @param {string} id
 * @returns {Promise<?string>}
 */
export async function addressOf(id) {
  if (!shown.has(id)) {
    const file = await find(id);
    // Whoever asked at the same time may have been faster.
    if (!shown.has(id)) shown.set(id, file && URL.createObjectURL(file));
  }
  return shown.get(id);
}

/**
 * The bytes of a picture in base64, as the API takes them.
 * @param {File} file
 * @returns {Promise<string>}
 */
export function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

async function forget(ids) {
  await delMany(ids);
  for (const id of ids) {
    if (shown.get(id)) URL.revokeObjectURL(shown.get(id));
    shown.delete(id);
  }
}

/** Ids stand in the order they were given in; those of earlier versions, plain hexadecimal, before all others. */
function newId() {
  const hexadecimal = (value, digits) => value.toString(16).padStart(digits, "0");
  // No crypto.randomUUID: it is missing where a page comes over plain HTTP from another machine.
  const chance = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => hexadecimal(byte, 2)).join("");
  return `t${hexadecimal(Date.now(), 12)}${chance}`;
}
