/**
 * Pictures that come in appear among those on the wall.
 */

const REST_MS = 3_000;

/**
 * Have the results renewed when there are pictures that they lack: as soon as the wall is looked at from its
 * top, for whoever reads further down is not to lose their place, and no more often than eyes can follow.
 * @param {import("./results.js").Results} results
 * @param {import("./navigation.js").Navigation} navigation
 * @param {import("./jobs.js").Jobs} jobs
 */
export function keepRenewed(results, navigation, jobs) {
  let outdated = false;
  let resting = false;

  jobs.addEventListener("indexed", () => {
    outdated = true;
    catchUp();
  });
  for (const one of [results, navigation]) one.addEventListener("change", catchUp);
  addEventListener("scroll", catchUp, { passive: true });

  async function catchUp() {
    const seen = navigation.place.view === "pictures" && scrollY < innerHeight;
    if (!outdated || resting || !seen || results.state === "loading") return;
    outdated = false;
    resting = true;
    await results.renewAll();
    setTimeout(() => {
      resting = false;
      catchUp();
    }, REST_MS);
  }
}
