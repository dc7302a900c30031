// Lines of Python: matrices and lists as literals, and the loops and windows that sums share.

/** @typedef {import("../sum_terms.js").Matrix} Matrix */
/** @typedef {import("../sum_terms.js").Move} Move */

/** The longest line of numbers; what is longer is broken into rows. */
const WIDE = 70;

/** The first line of each text in NumPy. */
export const IMPORT = "import numpy as np";

/** @param {readonly number[]} list @param {number} size */
function cut(list, size) {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

/** @param {Matrix} matrix */
export function rowsOf({ values, columns }) {
  return cut(values, columns);
}

/** Those of the lines that there are. @param {...(string | null)} texts */
export function lines(...texts) {
  return texts.filter((text) => text !== null).join("\n");
}

/** @param {Move} move */
export function moved({ stride, padding, dilation }) {
  return `S, P, D = ${stride}, ${padding}, ${dilation}  # stride, padding, dilation`;
}

/** @param {Move} move @param {string} index @param {string} length */
export function turned({ flip }, index, length) {
  return flip ? `${length} - 1 - ${index}` : index;
}

/**
 * Four loops around a line, which is for places inside of X only.
 *
 * @param {Move} move
 * @param {string} rows
 * @param {string} columns
 * @param {string} R
 * @param {string} C
 * @param {string} line
 * @param {string} [inside] - what the place (i, j) is one of.
 */
export function windowLoops({ padding }, rows, columns, R, C, line, inside = "X") {
  return [
    `for y in range(${rows}):`,
    `    for x in range(${columns}):`,
    `        for r in range(${R}):`,
    `            for s in range(${C}):`,
    "                i, j = S*y + D*r - P, S*x + D*s - P",
    ...(padding > 0
      ? [`                if 0 <= i < len(${inside}) and 0 <= j < len(${inside}[0]):`, `                    ${line}`]
      : [`                ${line}`]),
  ];
}

/** Windows of a padded X, with gaps. @param {string} shape */
export function windowed(shape) {
  return [
    "X = np.pad(X, P)",
    `R, C = (D*(side - 1) + 1 for side in ${shape})  # what a window covers`,
    "windows = np.lib.stride_tricks.sliding_window_view(X, (R, C))[::S, ::S, ::D, ::D]",
  ];
}

/** @param {string} name @param {any} value */
export function assigned(name, value) {
  return `${name} = ${literal(value, name.length + 3)}`;
}

/** @param {string} name @param {any} value */
export function array(name, value) {
  return `${name} = np.array(${literal(value, name.length + 12)})`;
}

/**
 * Nested lists of numbers; what is too long for a line has a line for each of its parts, and numbers
 * fill lines.
 *
 * @param {any} value
 * @param {number} indent
 * @returns {string}
 */
function literal(value, indent) {
  if (value === null) return "None";
  if (typeof value === "number") return String(value);
  const parts = value.map((/** @type {any} */ one) => literal(one, indent + 1));
  const short = `[${parts.join(", ")}]`;
  if (short.length <= WIDE) return short;
  const rows = typeof value[0] === "number" ? filled(parts) : parts;
  return `[${rows.join(`,\n${" ".repeat(indent + 1)}`)}]`;
}

/** Words in as few lines as they need. @param {readonly string[]} words */
function filled(words) {
  /** @type {string[]} */
  const rows = [];
  for (const word of words) {
    const last = rows[rows.length - 1];
    if (last !== undefined && last.length + 2 + word.length <= WIDE) rows[rows.length - 1] = `${last}, ${word}`;
    else rows.push(word);
  }
  return rows;
}
