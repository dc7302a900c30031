// The kernels that striate knows by name, as Python gave them, and one's own.

/** @typedef {import("../../maths/photo_filter.js").Kernel} Kernel */
/** @typedef {import("../../maths/typed_numbers.js").Matrix} Matrix */

/**
 * A kernel by name, in the sizes that there are.
 *
 * @typedef {object} Known
 * @property {string} name
 * @property {string} about
 * @property {Kernel["combine"]} combine
 * @property {readonly {rows: number, columns: number, arrays: readonly (readonly number[])[]}[]} sizes
 */

/** Sides of one's own kernel. */
export const SIDES = [2, 3, 4, 5, 7, 9];

/**
 * The kernel that a state names; one's own where no kernel has this name.
 *
 * @param {readonly Known[]} known
 * @param {string} name
 * @param {number} size - of its rows; the first size where there is no such.
 * @param {Matrix} own
 * @returns {Kernel}
 */
export function kernelOf(known, name, size, own) {
  const found = known.find((one) => one.name === name);
  if (!found) return { rows: own.rows, columns: own.columns, arrays: [own.values], combine: "one" };
  const sized = found.sizes.find(({ rows }) => rows === size) ?? found.sizes[0];
  return { ...sized, combine: found.combine };
}

/**
 * A kernel with zeros around it, or cut, so that its centre stays.
 *
 * @param {Matrix} matrix
 * @param {number} size
 * @returns {Matrix}
 */
export function resized({ rows, columns, values }, size) {
  const centre = (/** @type {number} */ taps) => (taps - 1) >> 1;
  const down = centre(rows) - centre(size), across = centre(columns) - centre(size);
  return {
    rows: size, columns: size,
    values: Array.from({ length: size * size }, (_, at) => {
      const r = Math.floor(at / size) + down, c = (at % size) + across;
      return r >= 0 && c >= 0 && r < rows && c < columns ? values[r * columns + c] : 0;
    }),
  };
}
