// A network as textbook loops over the terms of its sums, in float64: forward and backward.

import { count, inputShape } from "./description.js";
import { readBy } from "./terms.js";

/** @typedef {import("./description.js").Description} Description */

/**
 * One image through the network.
 *
 * @typedef {object} Pass
 * @property {Float64Array[]} values - the standardised image, then the output of each layer.
 * @property {Float64Array[]} gradients - of the loss, to each of these; of the last to the logits.
 * @property {Float64Array} weights - of the loss, to each weight.
 * @property {Float64Array} probabilities
 * @property {number} loss
 */

/**
 * @param {Description} network
 * @param {ArrayLike<number>} weights
 * @param {ArrayLike<number>} pixels - raw.
 * @returns {Float64Array[]} the standardised image, then the output of each layer.
 */
export function forward(network, weights, pixels) {
  const { mean, std, layers } = network;
  const values = [Float64Array.from(pixels, (pixel, i) =>
    mean.length ? (pixel - mean[i % mean.length]) / std[i % std.length] : pixel)];
  layers.forEach((layer, index) => {
    const x = values[index], from = inputShape(network, index), y = new Float64Array(count(layer.shape));
    for (let output = 0; output < y.length; output++)
      for (const { input, weight } of readBy(layer, from, x, output))
        y[output] += (input < 0 ? 1 : x[input]) * (weight < 0 ? 1 : weights[weight]);
    values.push(y);
  });
  return values;
}

/**
 * Forward, softmax cross-entropy, and backward.
 *
 * @param {Description} network
 * @param {ArrayLike<number>} weights
 * @param {ArrayLike<number>} pixels
 * @param {number} label
 * @returns {Pass}
 */
export function passOf(network, weights, pixels, label) {
  const values = forward(network, weights, pixels);
  const probabilities = softmax(values[values.length - 1]);
  const gradients = values.map((one) => new Float64Array(one.length));
  const ofWeights = new Float64Array(network.size);
  // ∂L/∂logit = probability − 1 for the right class, else the probability.
  gradients[values.length - 1].set(probabilities.map((p, i) => p - (i === label ? 1 : 0)));
  for (let index = network.layers.length - 1; index >= 0; index--) {
    const layer = network.layers[index], x = values[index], from = inputShape(network, index);
    const above = gradients[index + 1], below = gradients[index];
    for (let output = 0; output < above.length; output++) {
      if (above[output] === 0) continue;
      for (const { input, weight } of readBy(layer, from, x, output)) {
        if (input >= 0) below[input] += above[output] * (weight < 0 ? 1 : weights[weight]);
        if (weight >= 0) ofWeights[weight] += above[output] * (input < 0 ? 1 : x[input]);
      }
    }
  }
  return { values, gradients, weights: ofWeights, probabilities, loss: -Math.log(probabilities[label]) };
}

/** @param {ArrayLike<number>} logits @returns {Float64Array} */
export function softmax(logits) {
  const all = Array.from(logits), most = Math.max(...all);
  const powers = Float64Array.from(all, (z) => Math.exp(z - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
