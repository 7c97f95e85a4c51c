/**
 * Where the page is: the place that its address names.
 */

import { placeOf, searchOf } from "./address.js";

/** Says `change` whenever the place is another one. */
export class Navigation extends EventTarget {
  place = placeOf(location.search);

  constructor() {
    super();
    addEventListener("popstate", () => this.#arrive(placeOf(location.search)));
  }

  /**
   * Go to a place that differs from the present one in these ways.
   * @param {Partial<import("./address.js").Place>} changes
   * @param {{replace?: boolean}} [how] `replace`: "back" leads past the present place
   */
  go(changes, { replace = false } = {}) {
    const place = { ...this.place, ...changes };
    const address = searchOf(place);
    if (address === searchOf(this.place)) return;
    history[replace ? "replaceState" : "pushState"](null, "", address);
    this.#arrive(place);
  }

  /**
   * The address of a place that differs from the present one in these ways.
   * @param {Partial<import("./address.js").Place>} changes
   */
  addressOf(changes) {
    return searchOf({ ...this.place, ...changes });
  }

  #arrive(place) {
    this.place = place;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * Follow a link within the page, unless its reader wants it in another tab.
 * @param {MouseEvent} event
 * @param {() => void} go
 */
export function followed(event, go) {
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go();
}
