// Layers in one dimension on top of each other: who reads what, and how far down a unit sees.

import { positionsOf } from "../derivation.js";

/** @typedef {import("../derivation.js").Problem} Problem */

/**
 * A layer: the units that each of its units reads, as the places of its window; null in the padding.
 *
 * @typedef {{units: number, size: number, reads: (number | null)[][]}} StackedLayer
 */

/**
 * The layers, or what does not fit.
 *
 * @param {number} inputs
 * @param {readonly (readonly [size: number, stride: number])[]} wanted - from below.
 * @param {"none" | "same"} padding
 * @returns {{layers: StackedLayer[], problem: Problem | null}} the layers that fit.
 */
export function stackedLayers(inputs, wanted, padding) {
  /** @type {StackedLayer[]} */
  const layers = [];
  let below = inputs;
  for (const [size, stride] of wanted) {
    const found = positionsOf([1, below], [1, size], [1, stride], padding);
    if ("name" in found) return { layers, problem: found };
    const units = found.positions[1], left = found.pads[2], from = below;
    layers.push({
      units, size,
      reads: Array.from({ length: units }, (_, unit) =>
        Array.from({ length: size }, (_, tap) => {
          const at = unit * stride - left + tap;
          return at >= 0 && at < from ? at : null;
        })),
    });
    below = units;
  }
  return { layers, problem: null };
}

/**
 * What a unit sees at each level: itself, then the units below it, down to the inputs.
 *
 * @param {readonly StackedLayer[]} layers
 * @param {number} level - of the unit: 0 are the inputs, 1 the first layer.
 * @param {number} unit
 * @returns {number[][]} by level, from the inputs up to `level`; each in rising order.
 */
export function seenBelow(layers, level, unit) {
  const seen = [[unit]];
  for (let at = level; at > 0; at--) {
    const below = new Set(seen[0].flatMap((one) => layers[at - 1].reads[one]).filter((one) => one !== null));
    seen.unshift([...below].sort((a, b) => a - b));
  }
  return seen;
}

/**
 * The size of the receptive field of each layer, where no end of the input cuts it off.
 *
 * @param {readonly (readonly [size: number, stride: number])[]} wanted
 * @returns {number[]}
 */
export function fieldSizes(wanted) {
  let field = 1, jump = 1;
  return wanted.map(([size, stride]) => {
    field += (size - 1) * jump;
    jump *= stride;
    return field;
  });
}

/**
 * Connections of a layer; those into the padding do not count.
 *
 * @param {StackedLayer} layer
 * @returns {number}
 */
export function connectionsOf({ reads }) {
  return reads.flat().filter((one) => one !== null).length;
}
