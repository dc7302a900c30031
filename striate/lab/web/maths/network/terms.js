// Where each number of a network comes from: the terms of every sum, forward and backward.
//
// Images are row by row, channels last; filters are [row, column, channel in, channel out], a dense
// matrix [feature in, feature out]. Gradients are article 003's: ∂L/∂X and ∂L/∂F by the chain rule.

import { asImage, count, parts, windowOf } from "./description.js";
import { averagedPixels, windowTable } from "./layers/window_table.js";
import { outputsOver } from "./windows.js";

/** @typedef {import("./description.js").Layer} Layer */

/**
 * One product of a sum.
 *
 * @typedef {object} Link
 * @property {number} input - the place in the layer's input; -1 for a bias, which reads none.
 * @property {number} output - the place in the layer's output.
 * @property {number} weight - the place among all weights; -1 where the factor is no weight.
 * @property {number} factor - the factor where there is no weight: 1, or 1/pixels of an average.
 */

/**
 * What one output reads. Of layers that are no sums, such as activations, it is the same place.
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
  /** @param {number} input @param {number} weight @param {number} factor */
  const add = (input, weight, factor = 1) => links.push({ input, output, weight, factor });
  if (layer.type === "Dense") {
    const units = layer.shape[0];
    for (let input = 0; input < from[0]; input++) add(input, filters.start + input * units + output);
    if (bias) add(-1, bias.start + output);
  } else if (layer.type === "Conv2D") {
    const made = layer.shape[2], channel = output % made, each = from[2] / windowOf(layer).groups;
    const first = Math.floor(channel / (made / windowOf(layer).groups)) * each;
    for (const { tap, place } of taps(layer, from, output))
      for (let c = 0; c < each; c++)
        add(place * from[2] + first + c, filters.start + (tap * each + c) * made + channel);
    if (bias) add(-1, bias.start + channel);
  } else if (layer.type === "MaxPool2D") {
    const inputs = taps(layer, from, output).map(({ place }) => place * from[2] + (output % from[2]));
    add(inputs.reduce((best, input) => (x[input] > x[best] ? input : best)), -1);
  } else if (layer.type === "AvgPool2D" || layer.type === "GlobalAvgPool2D") {
    const factor = 1 / averagedPixels(layer, from, Math.floor(output / from[2]));
    for (const { place } of taps(layer, from, output)) add(place * from[2] + (output % from[2]), -1, factor);
  } else {
    const { scale, shift } = layer.weights, channel = output % layer.shape[layer.shape.length - 1];
    add(output, scale ? scale.start + channel : -1);
    if (shift) add(-1, shift.start + channel);
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
  const table = windowTable(layer, from), at = Math.floor(output / asImage(layer.shape)[2]), found = [];
  for (let t = table.starts[at]; t < table.starts[at + 1]; t++) found.push({ tap: table.taps[t], place: table.places[t] });
  return found;
}

/**
 * The terms of the gradient of one value of the input: all links that read it.
 *
 * @param {Layer} layer
 * @param {readonly number[]} from
 * @param {ArrayLike<number>} x
 * @param {number} input
 * @returns {Link[]}
 */
export function readersOf(layer, from, x, input) {
  return readingOutputs(layer, from, input)
    .flatMap((output) => readBy(layer, from, x, output))
    .filter((link) => link.input === input);
}

/** The outputs that may read a place of the input. @param {Layer} layer @param {readonly number[]} from @param {number} input */
function readingOutputs(layer, from, input) {
  const [rows, columns, channels] = asImage(layer.shape), everything = Array.from({ length: channels }, (_, c) => c);
  if (layer.type === "Dense") return everything;
  if (!layer.options.size) return [input];
  const pixel = Math.floor(input / from[2]);
  return outputsOver(windowOf(layer), [rows, columns], Math.floor(pixel / from[1]), pixel % from[1])
    .flatMap(({ row, column }) => everything.map((c) => (row * columns + column) * channels + c));
}

/**
 * The terms of the gradient of one weight: all links that multiply by it.
 *
 * @param {Layer} layer
 * @param {readonly number[]} from
 * @param {number} weight - its place among all weights.
 * @returns {Link[]}
 */
export function multipliedBy(layer, from, weight) {
  const found = [], channels = layer.shape[layer.shape.length - 1];
  const owner = Object.values(layer.weights).find(({ start, shape }) => weight >= start && weight < start + count(shape));
  if (!owner) return [];
  // The last axis of every array of weights is that of the output's channels.
  for (let output = (weight - owner.start) % channels; output < count(layer.shape); output += channels)
    for (const link of readBy(layer, from, [], output)) if (link.weight === weight) found.push(link);
  return found;
}
