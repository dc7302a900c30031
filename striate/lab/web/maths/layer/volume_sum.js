// The sum of one output of a convolutional layer: over a window and all channels, plus the bias.

/**
 * The sizes of a layer. Numbers of the input lie as channels, rows, columns; those of the filters as
 * filters, channels, rows, columns.
 *
 * @typedef {object} LayerSizes
 * @property {number} rows
 * @property {number} columns
 * @property {number} channels
 * @property {number} filters
 * @property {number} size - rows and columns of a filter.
 * @property {number} stride
 * @property {number} padding - zeros on each side.
 */

/**
 * One product.
 *
 * @typedef {{channel: number, row: number, column: number, value: number, weight: number}} Product
 */

/**
 * One output as a layer of a network computes it: the filter is not flipped.
 *
 * @param {LayerSizes} sizes
 * @param {readonly number[]} input
 * @param {readonly number[]} filters
 * @param {readonly number[]} biases
 * @param {number} row - of the output.
 * @param {number} column
 * @param {number} filter
 * @returns {{products: Product[][], sums: number[], bias: number, total: number}} products and sums by
 *   channels; `row` and `column` of a product are those of the padded input, from 0.
 */
export function volumeSum(sizes, input, filters, biases, row, column, filter) {
  const { rows, columns, channels, size, stride, padding } = sizes;
  const products = Array.from({ length: channels }, (_, channel) =>
    Array.from({ length: size * size }, (_, tap) => {
      const down = row * stride + Math.floor(tap / size), across = column * stride + (tap % size);
      const r = down - padding, c = across - padding;
      const isInside = r >= 0 && c >= 0 && r < rows && c < columns;
      return {
        channel, row: down, column: across,
        value: isInside ? input[(channel * rows + r) * columns + c] : 0,
        weight: filters[(filter * channels + channel) * size * size + tap],
      };
    }));
  const sums = products.map((some) => some.reduce((sum, { value, weight }) => sum + value * weight, 0));
  const bias = biases[filter];
  return { products, sums, bias, total: sums.reduce((sum, one) => sum + one, 0) + bias };
}

/**
 * The numbers of a layer in the order in which striate keeps them: channels last.
 *
 * @param {LayerSizes} sizes
 * @param {readonly number[]} input
 * @param {readonly number[]} weights
 * @returns {{X: number[][][], F: number[][][][]}} rows × columns × channels; filters × rows × columns × channels.
 */
export function channelsLast({ rows, columns, channels, filters, size }, input, weights) {
  const each = (/** @type {number} */ count) => Array.from({ length: count }, (_, index) => index);
  return {
    X: each(rows).map((r) => each(columns).map((c) => each(channels).map((channel) => input[(channel * rows + r) * columns + c]))),
    F: each(filters).map((k) => each(size).map((r) => each(size).map((s) =>
      each(channels).map((channel) => weights[((k * channels + channel) * size + r) * size + s])))),
  };
}

/**
 * A number list of a length: what is given, and what is drawn where it ends.
 *
 * @param {readonly number[]} given
 * @param {readonly number[]} drawn
 * @returns {number[]}
 */
export function filledUp(given, drawn) {
  return drawn.map((one, index) => given[index] ?? one);
}
