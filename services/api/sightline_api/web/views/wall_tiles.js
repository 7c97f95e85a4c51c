/**
 * What stands on the wall: a picture with its relevance, or the heading of a month.
 */

import { nameOf, share } from "../format.js";
import { thumbnailOf } from "./wall_thumbnails.js";

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

function relevanceBar() {
  const bar = document.createElement("span");
  bar.className = "relevance";
  return bar;
}
