/**
 * Where everything on the wall stands: lines of pictures under the headings of their months.
 */

import { monthOf } from "../format.js";
import { rowsOf } from "../justified.js";

const HEADING_PX = 44;
/** Shapes beyond these are cut to them: a panorama would take a row for itself. */
const [FLATTEST, SLIMMEST] = [0.5, 3];

/**
 * @typedef {object} Line a row of pictures, or a heading
 * @property {number} top in px
 * @property {number} height in px
 * @property {?string} heading with `first`, the picture that it stands above
 * @property {import("../justified.js").Row} [row]
 */

/**
 * @param {import("../results.js").Item[]} items
 * @param {{width: number, height: number, gap: number}} space as `rowsOf` takes it
 * @param {?"sort_at" | "indexed_at"} time by whose months they stand; null where they do not
 * @returns {Line[]}
 */
export function linesOf(items, space, time) {
  const lines = [];
  let top = 0;
  for (const [heading, first, last] of time ? months(items, time) : [[null, 0, items.length]]) {
    if (heading) {
      lines.push({ top, height: HEADING_PX, heading, first });
      top += HEADING_PX;
    }
    for (const row of rowsOf(items.slice(first, last).map(ratioOf), space)) {
      const placed = { ...row, first: row.first + first, last: row.last + first };
      lines.push({ top, height: row.height, heading: null, row: placed });
      top += row.height + space.gap;
    }
  }
  return lines;
}

/**
 * Whether a line has this picture.
 * @param {Line} line
 * @param {number} index
 */
export const holds = (line, index) => Boolean(line.row) && line.row.first <= index && index < line.row.last;

/**
 * The picture that a key leads to from another; null for a key that leads nowhere.
 * @param {Line[]} lines
 * @param {number} index
 * @param {string} key
 * @param {number} gap px between two pictures
 */
export function neighbourOf(lines, index, key, gap) {
  const rows = lines.filter((line) => line.row).map(({ row }) => row);
  const last = (rows.at(-1)?.last ?? 0) - 1;
  switch (key) {
    case "ArrowLeft":
      return Math.max(index - 1, 0);
    case "ArrowRight":
      return Math.min(index + 1, last);
    case "Home":
      return 0;
    case "End":
      return last;
    case "ArrowUp":
      return across(rows, index, -1, gap);
    case "ArrowDown":
      return across(rows, index, 1, gap);
    default:
      return null;
  }
}

/** The picture in the next row that stands where this one does. */
function across(rows, index, step, gap) {
  const here = rows.findIndex(({ first, last }) => first <= index && index < last);
  const next = rows[here + step];
  if (!next) return index;
  const centre = centres(rows[here], gap)[index - rows[here].first];
  const away = centres(next, gap).map((one) => Math.abs(one - centre));
  return next.first + away.indexOf(Math.min(...away));
}

function centres({ widths }, gap) {
  let left = 0;
  return widths.map((width) => {
    left += width + gap;
    return left - gap - width / 2;
  });
}

function months(items, time) {
  const runs = [];
  items.forEach(({ image }, index) => {
    const month = monthOf(image[time]);
    if (runs.at(-1)?.[0] === month) runs.at(-1)[2] = index + 1;
    else runs.push([month, index, index + 1]);
  });
  return runs;
}

const ratioOf = ({ image }) => Math.min(Math.max(image.width / image.height || 1, FLATTEST), SLIMMEST);
