/**
 * The filter panel's choices and the API's filter tree, each made of the other.
 */

/**
 * A choice about one field: some of its values, or a range.
 * @typedef {{any: Array<string|number|boolean>} | {gte?: string|number, lte?: string|number}} Choice
 */

/**
 * @typedef {object} Choices
 * @property {Map<string, Choice>} fields
 * @property {?number} side px that the longer side has at least
 */

/**
 * The tree of choices; null where nothing is chosen.
 * @param {Choices} choices
 */
export function treeOf({ fields, side }) {
  const conditions = [...fields].map(([field, choice]) => ({ field, ...choice }));
  if (side) conditions.push({ any: ["width", "height"].map((field) => ({ field, gte: side })) });
  return conditions.length ? { all: conditions } : null;
}

/**
 * The choices that a tree says; null where the panel cannot show it.
 * @param {?object} tree
 * @returns {?Choices}
 */
export function choicesOf(tree) {
  const choices = { fields: new Map(), side: null };
  if (tree === null) return choices;
  if (!Array.isArray(tree.all)) return null;
  for (const condition of tree.all) {
    const { field, ...test } = Object(condition);
    const side = sideOf(test.any);
    if (field === undefined && side && !choices.side) choices.side = side;
    else if (field && !choices.fields.has(field) && isChoice(test)) choices.fields.set(field, test);
    else return null;
  }
  return choices;
}

/**
 * The choices with another one about a field; null takes it away.
 * @param {Choices} choices
 * @param {string} field
 * @param {?Choice} choice
 * @returns {Choices}
 */
export function withChoice(choices, field, choice) {
  const fields = new Map(choices.fields);
  fields.delete(field);
  const empty = !choice || Object.values(choice).every((value) => value === undefined || value.length === 0);
  if (!empty) fields.set(field, choice);
  return { ...choices, fields };
}

function isChoice(test) {
  const names = Object.keys(test);
  if (names.length === 1 && names[0] === "any") return Array.isArray(test.any);
  return names.length > 0 && names.every((name) => name === "gte" || name === "lte");
}

function sideOf(conditions) {
  if (!Array.isArray(conditions) || conditions.length !== 2) return null;
  const [width, height] = conditions;
  return width?.field === "width" && height?.field === "height" && width.gte === height.gte ? width.gte : null;
}
