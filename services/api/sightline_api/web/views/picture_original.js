/**
 * The file of a picture, where a browser can show it.
 */

const SHOWN_BY_BROWSERS = ["jpeg", "png", "webp", "gif", "bmp", "avif"];
const LARGEST_SHOWN_BYTES = 40e6;

/**
 * Load it, and decode it.
 * @param {object} image as the API describes it
 * @param {AbortSignal} signal nobody waits for it any more
 * @returns {Promise<?string>} its address; null where there is only the thumbnail to show
 */
export async function loadOriginal({ sources, format, bytes, original_url }, signal) {
  const onlyOnTheWeb = sources.every(({ kind }) => kind === "url");
  if (onlyOnTheWeb || !SHOWN_BY_BROWSERS.includes(format) || bytes > LARGEST_SHOWN_BYTES) return null;
  const large = new Image();
  // Browsers go on with the download of an element that nobody has.
  signal.addEventListener("abort", () => large.removeAttribute("src"), { once: true });
  large.src = original_url;
  try {
    await large.decode();
  } catch {
    return null; // It was moved, or is damaged further on.
  }
  return original_url;
}
