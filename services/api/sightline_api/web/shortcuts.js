/**
 * Keys that do something wherever the focus is, but where somebody writes.
 */

/**
 * @param {Record<string, () => void>} acts by key
 */
export function listenForShortcuts(acts) {
  document.addEventListener("keydown", (event) => {
    const writes = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select");
    const elsewhere = document.querySelector("dialog[open]") && event.key !== "u";
    if (writes || elsewhere || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!Object.hasOwn(acts, event.key)) return;
    event.preventDefault();
    acts[event.key]();
  });
}
