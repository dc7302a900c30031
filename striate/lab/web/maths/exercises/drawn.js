// Matrices of an exercise: the numbers that its set gives, or drawn ones.

/** @typedef {import("../sum_terms.js").Matrix} Matrix */
/** @typedef {import("../sum_terms.js").Move} Move */
/** @typedef {import("../seeded_numbers.js").SeededNumbers} SeededNumbers */
/** @typedef {import("./exercise.js").Given} Given */

/**
 * A matrix with a letter and a colour.
 *
 * @param {Matrix} matrix
 * @param {string} name
 * @param {string} kind
 * @returns {Given}
 */
export function named(matrix, name, kind) {
  return { ...matrix, name, kind };
}

/**
 * The numbers of a set, or drawn ones between two bounds; drawn ones are not all alike, and not 0, which
 * would make exercises too easy, where the bounds leave others.
 *
 * @param {readonly (readonly number[])[] | null} fixed - rows.
 * @param {readonly [rows: number, columns: number]} shape
 * @param {readonly [least: number, most: number]} bounds
 * @param {SeededNumbers} random
 * @returns {Matrix}
 */
export function drawnMatrix(fixed, [rows, columns], [least, most], random) {
  if (fixed) return { rows: fixed.length, columns: fixed[0].length, values: fixed.flat() };
  /** @type {number[]} */
  let values;
  do values = Array.from({ length: rows * columns }, () => drawn(least, most, random));
  while (least < most && values.length > 1 && values.every((value) => value === values[0]));
  return { rows, columns, values };
}

/** @param {number} least @param {number} most @param {SeededNumbers} random */
function drawn(least, most, random) {
  for (;;) {
    const value = random.whole(least, most);
    if (value !== 0 || (least === 0 && most === 0)) return value;
  }
}

/**
 * All places of a matrix, or one that is drawn.
 *
 * @param {"one" | "all"} ask
 * @param {number} rows
 * @param {number} columns
 * @param {SeededNumbers} random
 * @returns {[row: number, column: number][]}
 */
export function placesAsked(ask, rows, columns, random) {
  /** @type {[number, number][]} */
  const places = Array.from({ length: rows * columns }, (_, i) => [Math.floor(i / columns), i % columns]);
  return ask === "all" ? places : [random.oneOf(places)];
}

/**
 * How the window moves, as an exercise's table says.
 *
 * @param {any} options
 * @returns {Move}
 */
export function moveOf({ stride, padding, dilation, flip }) {
  return { stride, padding, dilation, flip };
}
