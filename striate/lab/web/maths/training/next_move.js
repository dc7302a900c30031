// What the next step will do to each weight: the mean gradient of its batch, and AdamW's numbers.

import { adamw } from "../network/update_rules.js";
import { passOf } from "../network/readable_network.js";

/** @typedef {import("../network/description.js").Description} Description */

/**
 * The mean gradient of some examples.
 *
 * @param {Description} network
 * @param {ArrayLike<number>} weights
 * @param {import("./course.js").Examples} examples
 * @returns {Float64Array}
 */
export function meanGradient(network, weights, { images, labels }) {
  const size = images.length / labels.length, mean = new Float64Array(network.size);
  for (let i = 0; i < labels.length; i++) {
    const { weights: one } = passOf(network, weights, images.subarray(i * size, (i + 1) * size), labels[i]);
    for (let w = 0; w < mean.length; w++) mean[w] += one[w] / labels.length;
  }
  return mean;
}

/**
 * How a step of AdamW moves one weight.
 *
 * @param {Description} network
 * @param {ArrayLike<number>} state - weights, then from `buffers` on the two means of each weight.
 * @param {number} buffers - where these begin.
 * @param {number} place - of the weight.
 * @param {{gradient: number, step: number, rate: number}} now - `step` from 1.
 * @param {any} rule - AdamW's settings.
 */
export function moveOf(network, state, buffers, place, { gradient, step, rate }, rule) {
  const owner = network.layers.flatMap(({ weights }) => Object.values(weights))
    .find(({ start, shape }) => place >= start && place < start + shape.reduce((a, b) => a * b, 1));
  const before = {
    weight: state[place], gradient, mean: state[buffers + place], square: state[buffers + network.size + place],
    step, rate, decays: (owner?.shape.length ?? 1) > 1,
  };
  return { before, after: adamw(before, rule) };
}
