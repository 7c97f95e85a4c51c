/**
 * Pictures of the visitor's own that are searched by. They stay in this browser, so that "back" and
 * "reload" find them; an address names them, but holds none: elsewhere it says that one is missing.
 */

import { clear, entries, get, set } from "./vendor/idb-keyval/index.js";

/** Once there are more, all of earlier visits go. */
const KEPT = 20;

const shown = new Map();

/**
 * Keep a picture.
 * @param {File} file
 * @returns {Promise<string>} its id
 */
export async function keep(file) {
  if ((await entries()).length >= KEPT) await clear();
  // No crypto.randomUUID: it is missing where a page comes over plain HTTP from another machine.
  const id = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
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
    shown.set(id, file && URL.createObjectURL(file));
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
