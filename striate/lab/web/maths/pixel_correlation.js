// How alike pixels are that lie some pixels apart.

/**
 * Pearson's correlation of all pairs of pixels that lie so far apart, along one axis.
 *
 * @param {ArrayLike<number>} pixels - gray, row by row.
 * @param {number} height
 * @param {number} width
 * @param {number} apart - pixels, from 0.
 * @param {"across" | "down"} axis
 * @returns {number} NaN where there are no pairs, or all pixels are equal.
 */
export function correlationApart(pixels, height, width, apart, axis) {
  const rows = axis === "down" ? height - apart : height, columns = axis === "across" ? width - apart : width;
  const step = axis === "down" ? apart * width : apart;
  const count = rows * columns;
  if (rows <= 0 || columns <= 0) return NaN;
  let meanA = 0, meanB = 0;
  for (let r = 0; r < rows; r++)
    for (let at = r * width; at < r * width + columns; at++) {
      meanA += pixels[at];
      meanB += pixels[at + step];
    }
  meanA /= count;
  meanB /= count;
  let both = 0, squareA = 0, squareB = 0;
  for (let r = 0; r < rows; r++)
    for (let at = r * width; at < r * width + columns; at++) {
      const a = pixels[at] - meanA, b = pixels[at + step] - meanB;
      both += a * b;
      squareA += a * a;
      squareB += b * b;
    }
  return both / Math.sqrt(squareA * squareB);
}

/**
 * Which inputs a neuron's sum depends on.
 *
 * @param {readonly number[]} weights
 * @param {readonly number[]} inputs
 * @returns {{value: number, moves: number[], without: number[]}} the sum; how far it moves when one
 *   input alone goes from 0 to 1; and the sum with 0 in place of one input.
 */
export function ablation(weights, inputs) {
  /** @param {readonly number[]} x */
  const f = (x) => weights.reduce((sum, weight, index) => sum + weight * x[index], 0);
  const changed = (/** @type {number} */ index, /** @type {number} */ value) =>
    f(inputs.map((one, at) => (at === index ? value : one)));
  return {
    value: f(inputs),
    moves: inputs.map((_, index) => Math.abs(changed(index, 1) - changed(index, 0))),
    without: inputs.map((_, index) => changed(index, 0)),
  };
}
