/**
 * Thumbnails, which may be slow to come: while the service is away, busy or waits for a key.
 */

/** Before each time that one is asked for again; then it is given up. */
const PAUSES_MS = [2_000, 4_000, 8_000, 16_000, 30_000];
/** Answers below 500 after which it may come all the same. */
const PASSING = [401, 429];

/** What is known of pictures to have no thumbnail, so that whoever scrolls past does not ask again. */
const without = new WeakSet();
/** How to begin again, by the element of what may still come. */
const beginnings = new WeakMap();

/**
 * @param {object} image as the API describes it
 * @returns {HTMLImageElement} of the class `missing` once it is given up
 */
export function thumbnailOf(image) {
  const picture = document.createElement("img");
  picture.alt = "";
  picture.draggable = false; // Browsers would offer the thumbnail as a file to be added.
  picture.loading = "lazy";
  picture.decoding = "async";
  if (without.has(image)) picture.classList.add("missing");
  else load(picture, image);
  return picture;
}

/**
 * Load the thumbnails that could not be loaded once more.
 * @param {Element} host
 */
export function mend(host) {
  for (const picture of host.querySelectorAll("img")) {
    if (picture.complete && !picture.naturalWidth) beginnings.get(picture)?.();
  }
}

function load(picture, image) {
  let tries = 0;
  let timer = null;
  const ask = () => (picture.src = image.thumbnail_url);
  const askLater = () => {
    clearTimeout(timer);
    if (tries === PAUSES_MS.length) picture.classList.add("missing");
    else timer = setTimeout(() => picture.isConnected && askAgain(), PAUSES_MS[tries++]);
  };
  const askAgain = async () => {
    const status = await statusOf(image.thumbnail_url);
    if (status === 200) return ask();
    if (status === null || status >= 500 || PASSING.includes(status)) return askLater();
    without.add(image);
    beginnings.delete(picture);
    picture.classList.add("missing");
  };
  picture.addEventListener("error", askLater);
  beginnings.set(picture, () => {
    clearTimeout(timer);
    tries = 0;
    picture.classList.remove("missing");
    ask();
  });
  ask();
}

/** An element does not say why it has no picture; one that comes stays in the browser's cache for it. */
async function statusOf(address) {
  try {
    const answer = await fetch(address);
    await answer.blob();
    return answer.status;
  } catch {
    return null; // Nobody answers.
  }
}
