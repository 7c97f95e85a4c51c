/**
 * Values as people read them.
 */

const number = new Intl.NumberFormat();
const rounded = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 2 });
const percent = new Intl.NumberFormat(undefined, { style: "percent" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const month = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "long" });

/** @param {number} value */
export const count = (value) => number.format(value);

/** @param {number} share from 0 to 1 */
export const share = (share) => percent.format(share);

/** @param {string} time in RFC 3339 */
export const time = (time) => moment.format(new Date(time));

/** @param {string} time in RFC 3339 */
export const monthOf = (time) => month.format(new Date(time));

/**
 * @param {number} value
 * @param {string} one what it counts, as "picture"
 */
export const counted = (value, one) => `${count(value)} ${one}${value === 1 ? "" : "s"}`;

/** @param {number} value how many bytes */
export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), units.length - 1);
  return `${rounded.format(value / 1000 ** power)} ${units[power]}`;
}

/** @param {object} image what is known of its size: pixels, bytes and format, or less of an imported vector */
export function sizeOf({ width, height, bytes: size, format }) {
  const pixels = width && height ? `${width} × ${height} px` : null;
  const known = size == null ? null : `${bytes(size)}, ${format.toUpperCase()}`;
  return [pixels, known].filter(Boolean).join(", ") || null;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 3600) return `${Math.ceil(seconds / 60)} min`;
  return `${rounded.format(seconds / 3600)} h`;
}

/** @param {number} perSecond */
export const rate = (perSecond) => `${rounded.format(perSecond)}/s`;

/**
 * What a picture is called: the name of a file it was found in.
 * @param {{id: string, sources: Array<{uri: string}>}} image
 */
export function nameOf(image) {
  return image.sources.length ? fileOf(image.sources[0].uri) : image.id.slice(0, 8);
}

/** @param {string} uri */
export function fileOf(uri) {
  const path = uri.replace(/^upload:/u, "").replace(/[?].*$/u, "");
  return readable(path.split(/[/#]/u).filter(Boolean).at(-1) ?? uri);
}

/** @param {string} uri */
export const placeOfSource = (uri) => readable(uri.replace(/^file:\/\//u, "").replace(/^upload:/u, "upload: "));

function readable(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // It was never encoded.
  }
}
