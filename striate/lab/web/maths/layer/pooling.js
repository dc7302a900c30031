// Pooling: of each window its largest number, its mean, or its sum.

import { sizeRule } from "../window_size.js";

/** @typedef {import("../typed_numbers.js").Matrix} Matrix */

/** @typedef {"max" | "average" | "sum"} PoolKind */

/**
 * What pooling makes of a window.
 *
 * @param {readonly number[]} numbers
 * @param {PoolKind} kind
 * @returns {number}
 */
export function pooledNumber(numbers, kind) {
  const sum = numbers.reduce((all, one) => all + one, 0);
  return kind === "max" ? Math.max(...numbers) : kind === "sum" ? sum : sum / numbers.length;
}

/**
 * The numbers of each window, and what is kept of them.
 *
 * @param {Matrix} matrix
 * @param {number} size - rows and columns of a window, at most those of the matrix.
 * @param {number} stride
 * @param {PoolKind} kind
 * @returns {Matrix & {winners: number[]}} `winners`: for each window the place in the matrix of its
 *   first largest number. Windows that would reach out of the matrix are left out.
 */
export function pooled({ rows, columns, values }, size, stride, kind) {
  const [down, across] = [rows, columns].map((input) =>
    sizeRule({ input, filter: size, stride, before: 0, after: 0, dilation: 1 }).positions);
  const winners = new Array(down * across).fill(0), found = new Array(down * across).fill(0);
  for (let place = 0; place < down * across; place++) {
    const top = Math.floor(place / across) * stride, left = (place % across) * stride;
    const places = Array.from({ length: size * size }, (_, i) =>
      (top + Math.floor(i / size)) * columns + left + (i % size));
    winners[place] = places.reduce((best, at) => (values[at] > values[best] ? at : best));
    found[place] = pooledNumber(places.map((at) => values[at]), kind);
  }
  return { rows: down, columns: across, values: found, winners };
}
