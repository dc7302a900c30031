// A network as textbook loops in float64: one image, or a batch, all the way forward and backward.

import { BatchPass, drained } from "./batch_pass.js";

/** @typedef {import("./description.js").Description} Description */

/**
 * One image as in prediction: running statistics, nothing is dropped.
 *
 * @param {Description} network
 * @param {ArrayLike<number>} state - weights, then running statistics.
 * @param {ArrayLike<number>} pixels - raw.
 * @param {number} label
 * @returns {BatchPass}
 */
export function passOf(network, state, pixels, label) {
  const pass = new BatchPass(network, state, { images: pixels, labels: [label] }, { training: false });
  drained(pass.upTo());
  return pass;
}

/**
 * A batch as in training.
 *
 * @param {Description} network
 * @param {ArrayLike<number>} state
 * @param {import("./batch_pass.js").Batch} batch
 * @param {ArrayLike<number>} keys - of the images, see `imageKeys`.
 * @returns {BatchPass}
 */
export function trainingPassOf(network, state, batch, keys) {
  const pass = new BatchPass(network, state, batch, { training: true, keys });
  drained(pass.upTo());
  return pass;
}
