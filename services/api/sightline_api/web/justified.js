/**
 * Rows of pictures that fill their width: every picture keeps its shape, those of a row have one height.
 */

/**
 * @typedef {object} Row
 * @property {number} first the first picture in it
 * @property {number} last the one after the last in it
 * @property {number} height of the pictures, in px
 * @property {number[]} widths of the pictures, in px
 */

/**
 * Each row is broken where its height comes nearest to the one wished for. The last keeps that height, and
 * need not fill the width.
 * @param {number[]} ratios width over height of each picture
 * @param {{width: number, height: number, gap: number}} space in px: the width to fill, the height wished
 *   for, what lies between two pictures
 * @returns {Row[]}
 */
export function rowsOf(ratios, { width, height, gap }) {
  const rows = [];
  let first = 0;
  let sum = 0;
  const heightOf = (total, count) => (width - gap * (count - 1)) / total;
  const close = (last, total) => {
    const filled = heightOf(total, last - first);
    rows.push(row(ratios, first, last, filled));
    first = last;
    sum = 0;
  };
  ratios.forEach((ratio, index) => {
    const count = index - first;
    const before = count ? heightOf(sum, count) : Infinity;
    const after = heightOf(sum + ratio, count + 1);
    if (after > height) {
      sum += ratio;
    } else if (before - height < height - after) {
      close(index, sum);
      sum = ratio;
    } else {
      close(index + 1, sum + ratio);
    }
  });
  const left = ratios.length - first;
  if (left) rows.push(row(ratios, first, ratios.length, Math.min(height, heightOf(sum, left))));
  return rows;
}

function row(ratios, first, last, height) {
  return { first, last, height, widths: ratios.slice(first, last).map((ratio) => ratio * height) };
}
