// A layer on volumes: the sum of one output written out, and receptive fields.
// Volumes are channels-last, as in striate: [row][column][channel]; filters [row][column][channel][filter].

/** @typedef {{rows: number, columns: number, channels: number, filters: number, side: number, stride: number, padding: number}} LayerSizes */

/**
 * The number of places of a filter along an axis: (I − R + 2P)/S + 1, rounded down.
 *
 * @param {number} pixels
 * @param {number} side
 * @param {number} stride
 * @param {number} padding
 * @returns {{count: number, unread: number}} 0 where the filter is larger; and pixels at the end that
 *   no place reads.
 */
export function placesAlong(pixels, side, stride, padding) {
  const room = pixels + 2 * padding - side;
  return room < 0 ? { count: 0, unread: 0 } : { count: Math.floor(room / stride) + 1, unread: room % stride };
}

/**
 * One output of a layer: the sum of products by channels, and the bias.
 *
 * @param {readonly number[]} x - the volume.
 * @param {readonly number[]} weights
 * @param {readonly number[]} biases
 * @param {LayerSizes} sizes
 * @param {number} row - of the output.
 * @param {number} column
 * @param {number} filter
 * @returns {{channels: {patch: number[], weights: number[], sum: number}[], total: number}} zeros
 *   stand in the patch where the window lies in the padding.
 */
export function layerSum(x, weights, biases, sizes, row, column, filter) {
  const { rows, columns, channels, filters, side, stride, padding } = sizes;
  const found = Array.from({ length: channels }, (_, channel) => {
    const patch = [], own = [];
    let sum = 0;
    for (let r = 0; r < side; r++)
      for (let c = 0; c < side; c++) {
        const y = row * stride - padding + r, at = column * stride - padding + c;
        const value = y >= 0 && at >= 0 && y < rows && at < columns ? x[(y * columns + at) * channels + channel] : 0;
        const weight = weights[((r * side + c) * channels + channel) * filters + filter];
        patch.push(value);
        own.push(weight);
        sum += value * weight;
      }
    return { patch, weights: own, sum };
  });
  return { channels: found, total: found.reduce((total, one) => total + one.sum, 0) + biases[filter] };
}

/**
 * The units that a unit depends on, in each layer before it, along one axis; without padding.
 *
 * @param {number} inputs - x of the lowest layer.
 * @param {readonly {side: number, stride: number}[]} layers - from below.
 * @param {number} unit - of the top layer.
 * @returns {{counts: number[], spans: [first: number, last: number][]}} units of each layer from
 *   below, and which of them are seen; the last span is the unit itself. Counts end with 0 where a
 *   layer's window is larger than what is below it.
 */
export function pyramid(inputs, layers, unit) {
  const counts = [inputs];
  for (const { side, stride } of layers) counts.push(placesAlong(counts[counts.length - 1], side, stride, 0).count);
  /** @type {[number, number][]} */
  const spans = [[unit, unit]];
  for (const { side, stride } of [...layers].reverse()) {
    const [first, last] = spans[0];
    spans.unshift([first * stride, last * stride + side - 1]);
  }
  return { counts, spans };
}
