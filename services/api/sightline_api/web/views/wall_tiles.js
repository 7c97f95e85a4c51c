/**
 * What stands on the wall: a picture with its relevance, or the heading of a month.
 */

import { nameOf, share } from "../format.js";

const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 30_000;

/**
 * The tile of a picture: a link to it.
 * @param {import("../results.js").Item} item
 * @param {string} href
 */
export function tileOf(item, href) {
  const tile = document.createElement("li");
  const link = document.createElement("a");
  link.dataset.id = item.image.id;
  link.href = href;
  link.append(thumbnailOf(item.image));
  if (item.relevance !== null) link.append(relevanceBar());
  tile.append(link);
  relate(tile, item);
  return tile;
}

/**
 * Say how relevant a picture is: other pictures that come in change it.
 * @param {Element} tile
 * @param {import("../results.js").Item} item
 */
export function relate(tile, { image, relevance }) {
  const link = tile.firstElementChild;
  const name = nameOf(image);
  link.setAttribute("aria-label", relevance === null ? name : `${name}, relevance ${share(relevance)}`);
  link.title = relevance === null ? name : `${name} · ${share(relevance)}`;
  if (relevance !== null) link.querySelector(".relevance").style.width = `${Math.round(relevance * 100)}%`;
}

/** @param {string} month */
export function headingOf(month) {
  const item = document.createElement("li");
  const heading = document.createElement("h2");
  heading.textContent = month;
  item.className = "month";
  item.append(heading);
  return item;
}

/**
 * Load the thumbnails that could not be loaded once more.
 * @param {Element} wall
 */
export function mend(wall) {
  for (const picture of wall.querySelectorAll("img")) {
    if (picture.complete && !picture.naturalWidth) loadAgain(picture);
  }
}

/**
 * Say where a tile stands among all.
 * @param {Element} tile
 * @param {number} index
 * @param {number} total -1 where it is not known
 * @param {boolean} active whether Tab leads to it
 */
export function describe(tile, index, total, active) {
  tile.setAttribute("aria-posinset", index + 1);
  tile.setAttribute("aria-setsize", total);
  tile.firstElementChild.tabIndex = active ? 0 : -1;
}

/** While the service is away, busy or waits for a key, thumbnails do not come: they are asked for again. */
function thumbnailOf({ thumbnail_url }) {
  const picture = document.createElement("img");
  let wait_ms = FIRST_WAIT_MS;
  picture.addEventListener("error", () => {
    setTimeout(() => picture.isConnected && loadAgain(picture), wait_ms);
    wait_ms = Math.min(wait_ms * 2, LONGEST_WAIT_MS);
  });
  picture.alt = "";
  picture.draggable = false; // Browsers would offer the thumbnail as a file to be added.
  picture.loading = "lazy";
  picture.decoding = "async";
  picture.src = thumbnail_url;
  return picture;
}

function loadAgain(picture) {
  const address = picture.src;
  picture.src = address;
}

function relevanceBar() {
  const bar = document.createElement("span");
  bar.className = "relevance";
  return bar;
}
