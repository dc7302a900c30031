// One number of a convolution or of its gradients as the list of products that are added (article
// 003; with stride, padding and dilation). Places are counted from 0.

import { sizeRule } from "./window_size.js";

/**
 * Numbers in rows and columns, row by row.
 *
 * @typedef {{rows: number, columns: number, values: readonly number[]}} Matrix
 */

/**
 * One number of a matrix, which has a letter: X, F, or dO for ∂L/∂O.
 *
 * @typedef {{name: string, row: number, column: number, value: number}} Factor
 */

/** @typedef {{factors: readonly Factor[], value: number}} Term */

/**
 * How the window moves. `flip` turns the filter by 180°: convolution; without it, correlation, which
 * is what layers compute.
 *
 * @typedef {{stride: number, padding: number, dilation: number, flip: boolean}} Move
 */

/**
 * Rows (or columns) of the output; no whole number where the sizes do not fit.
 *
 * @param {number} input
 * @param {number} filter
 * @param {Omit<Move, "flip">} move
 * @returns {number}
 */
export function outputSize(input, filter, { stride, padding, dilation }) {
  return sizeRule({ input, filter, stride, before: padding, after: padding, dilation }).value;
}

/**
 * The rows and columns of the output; what no window reaches at the end is left.
 *
 * @param {Matrix} input
 * @param {Matrix} filter
 * @param {Move} move
 * @returns {[rows: number, columns: number]}
 */
export function outputShape(input, filter, move) {
  return [
    Math.floor(outputSize(input.rows, filter.rows, move)),
    Math.floor(outputSize(input.columns, filter.columns, move)),
  ];
}

/**
 * O[row, column] = Σ X[row·S + r·D - P, column·S + s·D - P] · F[r, s]; zeros of the padding add nothing
 * and are left out.
 *
 * @param {Matrix} input
 * @param {Matrix} filter
 * @param {Move} move
 * @param {number} row
 * @param {number} column
 * @returns {Term[]}
 */
export function outputTerms(input, filter, move, row, column) {
  const terms = [];
  for (let r = 0; r < filter.rows; r++)
    for (let s = 0; s < filter.columns; s++) {
      const x = factor("X", input, ...readBy(move, row, column, r, s));
      if (x) terms.push(product(x, tap(filter, move, r, s)));
    }
  return terms;
}

/**
 * ∂L/∂F[row, column] = Σ ∂L/∂O[y, x] · X[…], over all outputs.
 *
 * @param {Matrix} input
 * @param {Matrix} filter - its rows and columns count, its values do not.
 * @param {Matrix} above - ∂L/∂O.
 * @param {Move} move
 * @param {number} row
 * @param {number} column
 * @returns {Term[]}
 */
export function filterGradientTerms(input, filter, above, move, row, column) {
  const [r, s] = move.flip ? [filter.rows - 1 - row, filter.columns - 1 - column] : [row, column];
  const terms = [];
  for (let y = 0; y < above.rows; y++)
    for (let x = 0; x < above.columns; x++) {
      const read = factor("X", input, ...readBy(move, y, x, r, s));
      if (read) terms.push(product(at("dO", above, y, x), read));
    }
  return terms;
}

/**
 * ∂L/∂X[row, column] = Σ ∂L/∂O[y, x] · F[…], over the outputs whose window has this input.
 *
 * @param {Matrix} filter
 * @param {Matrix} above - ∂L/∂O.
 * @param {Move} move
 * @param {number} row
 * @param {number} column
 * @returns {Term[]}
 */
export function inputGradientTerms(filter, above, move, row, column) {
  const terms = [];
  for (let y = 0; y < above.rows; y++)
    for (let x = 0; x < above.columns; x++)
      for (let r = 0; r < filter.rows; r++)
        for (let s = 0; s < filter.columns; s++) {
          const [i, j] = readBy(move, y, x, r, s);
          if (i === row && j === column) terms.push(product(at("dO", above, y, x), tap(filter, move, r, s)));
        }
  return terms;
}

/**
 * @param {readonly Term[]} terms
 * @returns {number}
 */
export function sumOf(terms) {
  return terms.reduce((sum, { value }) => sum + value, 0);
}

/**
 * The place of the input that the tap (r, s) reads for the output (y, x).
 *
 * @param {Move} move
 * @param {number} y
 * @param {number} x
 * @param {number} r
 * @param {number} s
 * @returns {[row: number, column: number]}
 */
function readBy({ stride, padding, dilation }, y, x, r, s) {
  return [y * stride + r * dilation - padding, x * stride + s * dilation - padding];
}

/**
 * @param {Matrix} filter
 * @param {Move} move
 * @param {number} r
 * @param {number} s
 * @returns {Factor}
 */
function tap(filter, { flip }, r, s) {
  return at("F", filter, flip ? filter.rows - 1 - r : r, flip ? filter.columns - 1 - s : s);
}

/**
 * A number of a matrix, or null outside of it.
 *
 * @param {string} name
 * @param {Matrix} matrix
 * @param {number} row
 * @param {number} column
 * @returns {Factor | null}
 */
function factor(name, matrix, row, column) {
  const inside = row >= 0 && row < matrix.rows && column >= 0 && column < matrix.columns;
  return inside ? at(name, matrix, row, column) : null;
}

/**
 * A number of a matrix with its letter.
 *
 * @param {string} name
 * @param {Matrix} matrix
 * @param {number} row
 * @param {number} column
 * @returns {Factor}
 */
export function at(name, matrix, row, column) {
  return { name, row, column, value: matrix.values[row * matrix.columns + column] };
}

/**
 * @param {...Factor} factors
 * @returns {Term}
 */
export function product(...factors) {
  return { factors, value: factors.reduce((value, one) => value * one.value, 1) };
}
