// The image and the weights of the room: typed, a digit, or a part of a photograph.

import { grayPicture } from "../../maths/pixels.js";

/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../maths/typed_numbers.js").Matrix} Matrix */
/** @typedef {import("../../maths/pixels.js").Picture} Picture */

/** Rows and columns of the image, and neurons, at most: more lines could not be told apart. */
export const MOST_SIDE = 8;
export const MOST_NEURONS = 64;

/**
 * The image, and the value that is drawn white.
 *
 * @param {State} state
 * @param {Picture | null} photo
 * @param {readonly Matrix[]} digits
 * @returns {{matrix: Matrix, white: number}}
 */
export function denseImage(state, photo, digits) {
  if (state.source === "own") return { matrix: state.matrix, white: Math.max(...state.matrix.values, 1) };
  const { rows, columns } = state;
  const places = Array.from({ length: rows * columns }, (_, index) => [Math.floor(index / columns), index % columns]);
  if (state.source === "digit") {
    const digit = digits[state.digit];
    const values = places.map(([row, column]) =>
      digit.values[Math.floor(((row + 0.5) * digit.rows) / rows) * digit.columns + Math.floor(((column + 0.5) * digit.columns) / columns)]);
    return { matrix: { rows, columns, values }, white: 16 };
  }
  const gray = photo && grayOf(photo);
  const values = places.map(([row, column]) => {
    if (!gray) return 0;
    const r = Math.min(state.photoRow + row, gray.height - 1), c = Math.min(state.photoColumn + column, gray.width - 1);
    return gray.pixels[r * gray.width + c];
  });
  return { matrix: { rows, columns, values }, white: 255 };
}

/** @type {WeakMap<Picture, Picture>} */
const grays = new WeakMap();

/** @param {Picture} photo */
function grayOf(photo) {
  let gray = grays.get(photo);
  if (!gray) grays.set(photo, (gray = grayPicture(photo)));
  return gray;
}

/**
 * The weights of a group: those typed, and small whole numbers where there are no more.
 *
 * @param {readonly number[]} typed - group after group.
 * @param {number} group - its number.
 * @param {number} taps
 * @returns {number[]}
 */
export function weightsOf(typed, group, taps) {
  return Array.from({ length: taps }, (_, tap) => typed[group * taps + tap] ?? ((group * 7 + tap * 5 + 3) % 5) - 2);
}

/**
 * All weights with those of one group replaced.
 *
 * @param {readonly number[]} typed
 * @param {number} groups
 * @param {number} group
 * @param {readonly number[]} weights
 * @returns {number[]}
 */
export function withWeights(typed, groups, group, weights) {
  return Array.from({ length: groups }, (_, one) => (one === group ? [...weights] : weightsOf(typed, one, weights.length))).flat();
}

/**
 * A matrix of another size: cut, or with more numbers at the end of rows and columns.
 *
 * @param {Matrix} matrix
 * @param {number} rows
 * @param {number} columns
 * @returns {Matrix}
 */
export function resized(matrix, rows, columns) {
  const values = Array.from({ length: rows * columns }, (_, index) => {
    const row = Math.floor(index / columns), column = index % columns;
    return row < matrix.rows && column < matrix.columns ? matrix.values[row * matrix.columns + column] : (row * 37 + column * 91 + 50) % 256;
  });
  return { rows, columns, values };
}
