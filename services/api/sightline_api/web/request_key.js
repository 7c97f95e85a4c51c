/**
 * What a request is known by, so that one whose answer was lost makes no second job when it is sent again.
 */

/** @returns {string} one that no other request has, for its `Idempotency-Key` */
export function requestKey() {
  return `page-${[...crypto.getRandomValues(new Uint8Array(12))].join("-")}`;
}
