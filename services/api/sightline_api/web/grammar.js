/**
 * The short form of a query, read as the API reads it (sightline_api/search/grammar.py): words and
 * "quoted phrases", with `-` before what to stay away from. The page reads it too, to show the parts.
 */

export const EXCLUDED_WEIGHT = -0.5;

// What Python takes for white space, which is not quite what JavaScript does.
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const TOKEN = new RegExp(`(-?)(?:"([^"]*)"?|([^${SPACE}"]+))`, "gu");
const RUN = new RegExp(`[${SPACE}]+`, "gu");
const ENDS = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "gu");

/**
 * @typedef {object} TextPart
 * @property {string} text
 * @property {number} weight 1, or EXCLUDED_WEIGHT
 * @property {Array<[number, number]>} spans where it stands in the query: starts and ends
 */

/**
 * The parts of a query: its bare words together, then each phrase and exclusion.
 * @param {string} query
 * @returns {TextPart[]}
 */
export function parse(query) {
  const words = [];
  const parts = [];
  for (const token of query.matchAll(TOKEN)) {
    const [whole, minus, phrase, word] = token;
    const text = (word ?? phrase).replace(ENDS, "");
    if (!text) continue;
    const span = [token.index, token.index + whole.length];
    if (minus) parts.push({ text, weight: EXCLUDED_WEIGHT, spans: [span] });
    else if (word === undefined) parts.push({ text, weight: 1, spans: [span] });
    else words.push({ text, span });
  }
  if (!words.length) return parts;
  const bare = { text: words.map(({ text }) => text).join(" "), weight: 1, spans: words.map(({ span }) => span) };
  return [bare, ...parts];
}

/**
 * The query without one of its parts.
 * @param {string} query
 * @param {TextPart} part of `parse(query)`
 */
export function without(query, part) {
  return replaced(query, part, "");
}

/**
 * The query with one of its parts meant the other way round: what was looked for is stayed away from.
 * @param {string} query
 * @param {TextPart} part of `parse(query)`
 */
export function turnedRound(query, part) {
  const minus = part.weight > 0 ? "-" : "";
  return replaced(query, part, `${minus}"${part.text}"`);
}

function replaced(query, part, replacement) {
  const [[start, end], ...others] = part.spans;
  let text = query;
  for (const [from, to] of others.toReversed()) text = text.slice(0, from) + " " + text.slice(to);
  return `${text.slice(0, start)} ${replacement} ${text.slice(end)}`.replace(RUN, " ").replace(ENDS, "");
}
