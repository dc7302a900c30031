// Pooling: of each window its largest number, its mean, or its sum.

/** @typedef {import("../typed_numbers.js").Matrix} Matrix */

/** @typedef {"max" | "average" | "sum"} PoolKind */

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
  const down = Math.floor((rows - size) / stride) + 1, across = Math.floor((columns - size) / stride) + 1;
  const winners = new Array(down * across).fill(0), found = new Array(down * across).fill(0);
  for (let place = 0; place < down * across; place++) {
    const top = Math.floor(place / across) * stride, left = (place % across) * stride;
    let best = top * columns + left, sum = 0;
    for (let r = top; r < top + size; r++)
      for (let c = left; c < left + size; c++) {
        const at = r * columns + c;
        sum += values[at];
        if (values[at] > values[best]) best = at;
      }
    winners[place] = best;
    found[place] = kind === "max" ? values[best] : kind === "sum" ? sum : sum / (size * size);
  }
  return { rows: down, columns: across, values: found, winners };
}
