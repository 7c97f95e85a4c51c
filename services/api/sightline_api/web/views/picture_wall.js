/**
 * The wall: pictures in rows that fill the width. Only those near the visible part are in the document, so
 * that it stays as small with thousands of pictures as with a hundred.
 */

import { followed } from "../navigation.js";
import { holds, linesOf, neighbourOf } from "./wall_lines.js";
import { mend } from "./wall_thumbnails.js";
import { describe, headingOf, relate, tileOf } from "./wall_tiles.js";

const GAP_PX = 6;
const WIDE_ROW_PX = 210;
const NARROW_ROW_PX = 120;
const NARROW_PX = 600;
/** Drawn beyond the visible part, above and below; and as near to the end more is asked for. */
const AHEAD_PX = 1_200;

/** Asks for more with `near-end`; a picture that is opened is gone to. */
export class PictureWall extends HTMLElement {
  #navigation;
  #list = document.createElement("ul");
  #items = [];
  #more = false;
  #months = null;
  #lines = [];
  /** The items that the lines are made of. */
  #laid = this.#items;
  #drawn = new Map();
  #active = 0;
  #asked = false;

  connectedCallback() {
    this.#list.setAttribute("aria-label", "Pictures");
    this.append(this.#list);
    addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#lay()).observe(this);
    this.#list.addEventListener("keydown", (event) => this.#move(event));
    this.#list.addEventListener("click", (event) => this.#open(event));
    this.#list.addEventListener("focusin", (event) => this.#activate(this.#indexOf(event.target)));
  }

  /** @param {import("../navigation.js").Navigation} navigation */
  set navigation(navigation) {
    this.#navigation = navigation;
  }

  /**
   * @param {import("../results.js").Item[]} items
   * @param {{more: boolean, months: ?string, fresh: boolean}} how whether there are more to come, by the
   *   months of which time they stand, whether they are others than before
   */
  show(items, { more, months, fresh }) {
    const focused = !fresh && this.#list.contains(document.activeElement) ? document.activeElement : null;
    this.#items = items;
    this.#more = more;
    this.#months = months;
    if (fresh) {
      this.#active = 0;
      this.#clear();
    }
    for (const item of items) if (this.#drawn.has(item.image.id)) relate(this.#drawn.get(item.image.id), item);
    // Where it still is, the focus stays on its picture, though others may come before it.
    const place = focused ? this.#indexOf(focused) : -1;
    this.#active = place < 0 ? Math.min(this.#active, Math.max(items.length - 1, 0)) : place;
    this.#lay();
    if (place >= 0) focused.focus({ preventScroll: true });
  }

  /**
   * Bring a picture into sight and give it the focus.
   * @param {string} id
   */
  focusOn(id) {
    const index = this.#items.findIndex(({ image }) => image.id === id);
    if (index >= 0) this.#focus(index);
  }

  /** The service is there again: load the thumbnails that it could not give. */
  mend() {
    mend(this.#list);
  }

  #lay() {
    const width = this.clientWidth;
    if (!width) return;
    const height = width < NARROW_PX ? NARROW_ROW_PX : WIDE_ROW_PX;
    this.#lines = linesOf(this.#items, { width, height, gap: GAP_PX }, this.#months);
    this.#laid = this.#items;
    const bottom = this.#lines.at(-1);
    this.#list.style.height = `${bottom ? bottom.top + bottom.height : 0}px`;
    this.#list.hidden = !this.#items.length;
    this.#draw();
  }

  #soon() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#draw();
    });
  }

  #draw() {
    if (!this.clientWidth) return; // It is hidden: nothing is near the visible part.
    if (this.#laid !== this.#items) return this.#lay(); // They came while it was.
    const start = -this.#list.getBoundingClientRect().top;
    const [above, below] = [start - AHEAD_PX, start + innerHeight + AHEAD_PX];
    const wanted = new Map();
    for (const line of this.#lines) {
      const near = line.top + line.height > above && line.top < below;
      if (near || holds(line, this.#active)) this.#place(line, wanted);
    }
    for (const [key, tile] of this.#drawn) if (!wanted.has(key)) tile.remove();
    this.#drawn = wanted;
    this.#order();
    if (this.#more && below > this.#list.clientHeight) this.dispatchEvent(new Event("near-end"));
  }

  #place(line, wanted) {
    if (line.heading) {
      const key = `month ${line.heading} ${line.first}`;
      wanted.set(key, put(this.#drawn.get(key) ?? headingOf(line.heading), 0, line.top));
      return;
    }
    let left = 0;
    line.row.widths.forEach((width, place) => {
      const index = line.row.first + place;
      const item = this.#items[index];
      const tile = this.#drawn.get(item.image.id) ?? this.#tile(item);
      size(put(tile, left, line.top), width, line.height);
      describe(tile, index, this.#more ? -1 : this.#items.length, index === this.#active);
      wanted.set(item.image.id, tile);
      left += width + GAP_PX;
    });
  }

  #tile(item) {
    return tileOf(item, this.#navigation.addressOf({ picture: item.image.id }));
  }

  /** Put the tiles into the document in the order they are seen; those that are there never move. */
  #order() {
    let next = this.#list.firstChild;
    for (const tile of this.#drawn.values()) {
      if (tile === next) next = next.nextSibling;
      else this.#list.insertBefore(tile, next);
    }
  }

  #clear() {
    for (const tile of this.#drawn.values()) tile.remove();
    this.#drawn.clear();
  }

  #indexOf(element) {
    const id = element.closest("[data-id]")?.dataset.id;
    return this.#items.findIndex(({ image }) => image.id === id);
  }

  #open(event) {
    const link = event.target.closest("[data-id]");
    if (link) followed(event, () => this.#navigation.go({ picture: link.dataset.id }));
  }

  #activate(index) {
    if (index < 0 || index === this.#active) return;
    this.#active = index;
    this.#draw();
  }

  #move(event) {
    const next = neighbourOf(this.#lines, this.#indexOf(event.target), event.key, GAP_PX);
    if (next === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#focus(next);
  }

  #focus(index) {
    this.#active = index;
    this.#draw();
    const link = this.#drawn.get(this.#items[index]?.image.id)?.querySelector("a");
    link?.focus({ preventScroll: true });
    link?.scrollIntoView({ block: "nearest" });
  }
}

function put(element, left, top) {
  element.style.transform = `translate(${left}px, ${top}px)`;
  return element;
}

function size(element, width, height) {
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
}
