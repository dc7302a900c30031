// What the next step will do to a weight, with AdamW's numbers on the way.

import { adamw } from "../network/update_rules.js";

/** @typedef {import("../network/description.js").Description} Description */

/**
 * How a step of AdamW moves one weight.
 *
 * @param {Description} network
 * @param {ArrayLike<number>} state - weights and statistics, then from `buffers` on the two means of each weight.
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
