// Where each number of a network comes from: the terms of every sum, forward and backward.
//
// Images are row by row, channels last; filters are [row, column, channel in, channel out], a dense
// matrix [feature in, feature out]. Gradients are article 003's: ∂L/∂X and ∂L/∂F by the chain rule.

import { count, parts } from "./description.js";
import { tapsOf } from "./windows.js";

/** @typedef {import("./description.js").Layer} Layer */

/**
 * One product of a sum.
 *
 * @typedef {object} Link
 * @property {number} input - the place in the layer's input; -1 for a bias, which reads none, or padding.
 * @property {number} output - the place in the layer's output.
 * @property {number} weight - the place among all weights; -1 where the factor is 1.
 */

/**
 * What one output reads.
 *
 * @param {Layer} layer
 * @param {readonly number[]} from - the shape of its input.
 * @param {ArrayLike<number>} x - its input.
 * @param {number} output
 * @returns {Link[]}
 */
export function readBy(layer, from, x, output) {
  const { filters, bias } = parts(layer);
  /** @type {Link[]} */
  const links = [];
  if (layer.type === "Dense") {
    const units = layer.shape[0];
    for (let input = 0; input < from[0]; input++)
      links.push({ input, output, weight: /** @type {{start: number}} */ (filters).start + input * units + output });
    if (bias) links.push({ input: -1, output, weight: bias.start + output });
  } else if (layer.type === "Conv2D") {
    const channels = from[2], made = layer.shape[2], channel = output % made;
    for (const { tap, place } of taps(layer, from, output))
      for (let c = 0; c < channels; c++)
        links.push({
          input: place * channels + c, output,
          weight: /** @type {{start: number}} */ (filters).start + (tap * channels + c) * made + channel,
        });
    if (bias) links.push({ input: -1, output, weight: bias.start + channel });
  } else if (layer.type === "MaxPool2D") {
    const channel = output % from[2];
    let best = -1;
    for (const { place } of taps(layer, from, output)) {
      const input = place * from[2] + channel;
      if (best < 0 || x[input] > x[best]) best = input;
    }
    links.push({ input: best, output, weight: -1 });
  } else if (layer.type === "Flatten" || x[output] > 0) {
    links.push({ input: output, output, weight: -1 }); // ReLU hands on what is above 0
  }
  return links;
}

/**
 * The places of the input in an output's window, without padding.
 *
 * @param {Layer} layer
 * @param {readonly number[]} from
 * @param {number} output
 * @returns {{tap: number, place: number}[]}
 */
export function taps(layer, from, output) {
  const window = /** @type {import("./description.js").Options} */ (layer.options);
  const [, width, channels] = layer.shape;
  const row = Math.floor(output / channels / width), column = Math.floor(output / channels) % width;
  return tapsOf(window, from, row, column)
    .filter(({ inside }) => inside)
    .map(({ tap, row, column }) => ({ tap, place: row * from[1] + column }));
}

/**
 * All links of a layer, output by output. Those of one value of the input, or of one weight, are the
 * terms of its gradient.
 *
 * @param {Layer} layer
 * @param {readonly number[]} from
 * @param {ArrayLike<number>} x
 * @returns {Link[]}
 */
export function allLinks(layer, from, x) {
  const links = [];
  for (let output = 0; output < count(layer.shape); output++) links.push(...readBy(layer, from, x, output));
  return links;
}
