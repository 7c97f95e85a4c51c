/**
 * The page: every part of it is put together here.
 */

import { Access } from "./access.js";
import { Api } from "./api.js";
import { searches, searchOf } from "./address.js";
import { Deletions } from "./deletions.js";
import { Jobs } from "./jobs.js";
import { Navigation } from "./navigation.js";
import { keepRenewed } from "./renewal.js";
import { Results } from "./results.js";
import { listenForShortcuts } from "./shortcuts.js";
import { Uploads } from "./uploads.js";
import { AddDialog } from "./views/add_dialog.js";
import { ConnectionBanner } from "./views/connection_banner.js";
import { CropBox } from "./views/crop_box.js";
import { DeletionToast } from "./views/deletion_toast.js";
import { DropZones } from "./views/drop_zones.js";
import { DuplicatesView } from "./views/duplicates_view.js";
import { FilterPanel } from "./views/filter_panel.js";
import { JobsDrawer } from "./views/jobs_drawer.js";
import { KeyDialog } from "./views/key_dialog.js";
import { PageHeader } from "./views/page_header.js";
import { PictureDialog } from "./views/picture_dialog.js";
import { PictureWall } from "./views/picture_wall.js";
import { QueryChips } from "./views/query_chips.js";
import { ResultFault } from "./views/result_fault.js";
import { ResultNotice } from "./views/result_notice.js";
import { SearchBar } from "./views/search_bar.js";
import { ShortcutsDialog } from "./views/shortcuts_dialog.js";
import { StatusView } from "./views/status_view.js";

const ELEMENTS = {
  "add-dialog": AddDialog,
  "connection-banner": ConnectionBanner,
  "crop-box": CropBox,
  "deletion-toast": DeletionToast,
  "drop-zones": DropZones,
  "duplicates-view": DuplicatesView,
  "filter-panel": FilterPanel,
  "jobs-drawer": JobsDrawer,
  "key-dialog": KeyDialog,
  "page-header": PageHeader,
  "picture-dialog": PictureDialog,
  "picture-wall": PictureWall,
  "query-chips": QueryChips,
  "result-fault": ResultFault,
  "result-notice": ResultNotice,
  "search-bar": SearchBar,
  "shortcuts-dialog": ShortcutsDialog,
  "status-view": StatusView,
};
for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);

const part = (name) => document.querySelector(name);

const api = new Api(() => part("key-dialog").ask(access.key !== null));
const access = new Access(api);
const navigation = new Navigation();
const deletions = new Deletions(api);
const jobs = new Jobs(api);
const uploads = new Uploads(api, jobs);
const results = new Results(api, deletions, access);
/** The address of what was asked for last. */
let asked = null;

part("connection-banner").api = api;
part("key-dialog").api = api;
part("deletion-toast").deletions = deletions;
part("query-chips").navigation = navigation;
part("picture-wall").navigation = navigation;
part("page-header").use(navigation, jobs, access);
part("filter-panel").use(api, navigation);
part("result-fault").use(results, navigation);
part("result-notice").use(results, navigation, jobs, access);
part("picture-dialog").use(api, navigation, results, deletions, access);
part("jobs-drawer").use(jobs, uploads, access);
part("add-dialog").use(api, jobs, uploads, navigation);
part("duplicates-view").use(api, navigation, jobs, deletions, access);
part("status-view").use(api, navigation, access);
part("drop-zones").access = access;

const header = part("page-header");
header.addEventListener("add", () => part("add-dialog").open());
header.addEventListener("filter", () => part("filter-panel").toggle());
header.addEventListener("jobs", () => part("jobs-drawer").toggle());
header.addEventListener("shortcuts", () => part("shortcuts-dialog").open());
part("filter-panel").addEventListener("toggle", () => header.show("filter", !part("filter-panel").hidden));
part("jobs-drawer").addEventListener("toggle", () => header.show("jobs", !part("jobs-drawer").hidden));

const zones = part("drop-zones");
zones.addEventListener("search", ({ detail }) => part("search-bar").searchBy(detail));
zones.addEventListener("add-addresses", ({ detail }) => part("add-dialog").open(detail));
zones.addEventListener("add", ({ detail: { files, unread } }) => {
  uploads.add(files, { collection: navigation.place.collection });
  if (unread) uploads.leaveOut(unread);
  part("jobs-drawer").toggle(true);
});
part("add-dialog").addEventListener("added", () => part("jobs-drawer").toggle(true));

const wall = part("picture-wall");
let shown = null;
results.addEventListener("change", () => {
  const fresh = results.generation !== shown;
  shown = results.generation;
  wall.classList.toggle("stale", results.state === "loading");
  wall.show(results.items, { more: results.more, months: monthsOf(results.place), fresh });
});
wall.addEventListener("near-end", () => results.loadMore());
part("picture-dialog").addEventListener("left", ({ detail }) => wall.focusOn(detail));
part("picture-dialog").addEventListener("tagged", () => part("filter-panel").refresh());

jobs.addEventListener("ended", () => {
  part("filter-panel").refresh();
  access.lookAround();
});
keepRenewed(results, navigation, jobs);

listenForShortcuts({
  "/": () => part("search-bar").take(),
  f: () => part("filter-panel").toggle(),
  a: () => access.mayWrite && part("add-dialog").open(),
  j: () => part("jobs-drawer").toggle(),
  u: () => deletions.undo(),
  "?": () => part("shortcuts-dialog").open(),
});

for (const event of ["back", "signed-in"]) api.addEventListener(event, () => wall.mend());
access.addEventListener("another", () => {
  asked = null;
  jobs.startOver();
  part("filter-panel").refresh();
  follow();
});

await access.learn();
navigation.addEventListener("change", follow);
follow();
jobs.refresh();

function follow() {
  const { place } = navigation;
  if (!place.collection && access.home) return navigation.go({ collection: access.home }, { replace: true });
  document.body.dataset.view = place.view;
  document.title = place.q ? `${place.q} · Sightline` : "Sightline";
  wall.hidden = place.view !== "pictures";
  // The picture that is open plays no part in what is asked for.
  const asks = searchOf({ ...place, picture: null });
  if (place.view !== "pictures" || asks === asked) return;
  asked = asks;
  scrollTo(0, 0);
  results.show(place);
}

/** The time by whose months the pictures of a place stand; null where they stand by relevance. */
function monthsOf(place) {
  return !place || searches(place) ? null : place.sort.replace("-", "");
}
