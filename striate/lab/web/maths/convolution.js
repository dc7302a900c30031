// Convolution and correlation as sums, with each of their terms.
//
// What `striate.convolve(f, g, "same", origin=…)` and `striate.correlate` compute, in float64: beyond
// its ends f is 0, so terms there are left out.

/** @typedef {import("./typed_numbers.js").Matrix} Matrix */

/** Which element of g is g(0): the first, or the one in the middle. @typedef {"corner" | "center"} Origin */

/**
 * One product of a sum.
 *
 * @typedef {object} Term
 * @property {number} i - where f is read: the place in the list.
 * @property {number} k - the element of g, counted from its first.
 * @property {number} value - f there.
 * @property {number} weight - that element of g.
 * @property {number} product
 */

/**
 * The index in g of its origin. Of an even number of taps two are in the middle: a convolution takes
 * the first of them, a correlation the second, so that both lie on the same elements of f.
 *
 * @param {number} taps
 * @param {Origin} origin
 * @param {boolean} flip - whether it is a convolution.
 * @returns {number}
 */
export function originIndex(taps, origin, flip) {
  if (origin === "corner") return 0;
  return flip ? (taps - 1) >> 1 : taps >> 1;
}

/**
 * The element of f that lies under the first place of the window, which g or its flipped copy fills.
 *
 * @param {number} x - the output.
 * @param {number} taps
 * @param {Origin} origin
 * @param {boolean} flip
 * @returns {number}
 */
export function windowStart(x, taps, origin, flip) {
  const at = originIndex(taps, origin, flip);
  return x - (flip ? taps - 1 - at : at);
}

/**
 * The sum of one output: y(x) = Σ f(i)·g(x - i), or without the flip y(x) = Σ f(i)·g(i - x).
 *
 * @param {readonly number[]} f
 * @param {readonly number[]} g
 * @param {number} x
 * @param {Origin} origin
 * @param {boolean} flip
 * @returns {{terms: Term[], total: number}} terms in the order of f.
 */
export function sumAt(f, g, x, origin, flip) {
  const start = windowStart(x, g.length, origin, flip);
  /** @type {Term[]} */
  const terms = [];
  let total = 0;
  for (let place = 0; place < g.length; place++) {
    const i = start + place;
    if (i < 0 || i >= f.length) continue;
    const k = flip ? g.length - 1 - place : place;
    terms.push({ i, k, value: f[i], weight: g[k], product: f[i] * g[k] });
    total += f[i] * g[k];
  }
  return { terms, total };
}

/**
 * All outputs, as many as f has elements.
 *
 * @param {readonly number[]} f
 * @param {readonly number[]} g
 * @param {Origin} origin
 * @param {boolean} flip
 * @returns {number[]}
 */
export function convolved(f, g, origin, flip) {
  return f.map((_, x) => sumAt(f, g, x, origin, flip).total);
}

/**
 * The outputs that read an element of f, first and last.
 *
 * @param {number} i
 * @param {number} length - of f.
 * @param {number} taps
 * @param {Origin} origin
 * @param {boolean} flip
 * @returns {[number, number]} the second is less than the first where there is none.
 */
export function readersOf(i, length, taps, origin, flip) {
  const start = windowStart(0, taps, origin, flip);
  return [Math.max(i - start - taps + 1, 0), Math.min(i - start, length - 1)];
}

/**
 * One product of a sum over rows and columns.
 *
 * @typedef {object} Term2
 * @property {[number, number]} i - row and column in f.
 * @property {[number, number]} k - row and column in g.
 * @property {number} value
 * @property {number} weight
 * @property {number} product
 */

/**
 * The sum of one output of two dimensions.
 *
 * @param {Matrix} f
 * @param {Matrix} g
 * @param {number} row
 * @param {number} column
 * @param {Origin} origin
 * @param {boolean} flip - over both axes.
 * @returns {{terms: Term2[], total: number, start: [number, number]}} `start`: the row and column of
 *   f under the first place of the window.
 */
export function sumAt2(f, g, row, column, origin, flip) {
  const top = windowStart(row, g.rows, origin, flip), left = windowStart(column, g.columns, origin, flip);
  /** @type {Term2[]} */
  const terms = [];
  let total = 0;
  for (let down = 0; down < g.rows; down++)
    for (let across = 0; across < g.columns; across++) {
      const r = top + down, c = left + across;
      if (r < 0 || c < 0 || r >= f.rows || c >= f.columns) continue;
      const i = flip ? g.rows - 1 - down : down, j = flip ? g.columns - 1 - across : across;
      const value = f.values[r * f.columns + c], weight = g.values[i * g.columns + j];
      terms.push({ i: [r, c], k: [i, j], value, weight, product: value * weight });
      total += value * weight;
    }
  return { terms, total, start: [top, left] };
}

/**
 * All outputs of two dimensions, as many as f has elements.
 *
 * @param {Matrix} f
 * @param {Matrix} g
 * @param {Origin} origin
 * @param {boolean} flip
 * @returns {Matrix}
 */
export function convolved2(f, g, origin, flip) {
  const values = f.values.map((_, at) =>
    sumAt2(f, g, Math.floor(at / f.columns), at % f.columns, origin, flip).total);
  return { ...f, values };
}
