// From a fully connected layer to a convolution: windows, groups, who reads what, and the counts.
// The rules are those of striate/teaching/derivation, which says them with the same sentences.

import { sizeRule } from "./window_size.js";

/** @typedef {readonly [number, number]} Pair - height, width. */

/**
 * @typedef {object} Windows
 * @property {Pair} size
 * @property {Pair} stride
 * @property {readonly [number, number, number, number]} pads - top, bottom, left, right.
 * @property {Pair} positions - down, across.
 */

/**
 * What does not fit: a text by its name, and what stands in it.
 *
 * @typedef {{name: string, values: Record<string, string | number>}} Problem
 */

/**
 * @typedef {object} Wanted
 * @property {Pair} image
 * @property {number} neurons
 * @property {number} group - successive neurons that share their weights.
 * @property {Pair} size - of the window.
 * @property {Pair} stride
 * @property {"none" | "same"} padding
 */

const AXES = ["height", "width"];
// The largest window side and stride that are tried for a cure.
const LARGEST = 16, STEPS = 8;

/**
 * The windows, or what does not fit.
 *
 * @param {Wanted} wanted
 * @returns {{windows: Windows | null, problem: Problem | null}}
 */
export function chosenWindows({ image, neurons, group, size, stride, padding }) {
  if (neurons % group)
    return { windows: null, problem: { name: "group", values: { neurons, group, fitting: nearestDivisors(neurons, group) } } };
  const found = positionsOf(image, size, stride, padding);
  if ("name" in found) return { windows: null, problem: found };
  const count = found.positions[0] * found.positions[1];
  const rule = {
    windows: windowsText(found), down: found.positions[0], across: found.positions[1], count,
    height: image[0], width: image[1], group, neurons,
  };
  if (group !== count) {
    const name = neurons % count === 0 ? "positions" : "positions_and_neurons";
    return { windows: null, problem: withWindow({ name, values: { ...rule, multiples: multiples(neurons, count) } }, best(image, neurons, group)) };
  }
  return { windows: found, problem: null };
}

/**
 * @param {Problem} problem
 * @param {Windows | null} other
 * @returns {Problem}
 */
function withWindow(problem, other) {
  return other
    ? { name: `${problem.name}_or_window`, values: { ...problem.values, other: windowsText(other) } }
    : problem;
}

/**
 * Windows of a size on an image, or why there are none.
 *
 * @param {Pair} image
 * @param {Pair} size
 * @param {Pair} stride
 * @param {"none" | "same"} padding
 * @returns {Windows | Problem}
 */
export function positionsOf(image, size, stride, padding) {
  const pads = [0, 0, 0, 0];
  if (padding === "same")
    for (const axis of [0, 1]) {
      const outputs = Math.ceil(image[axis] / stride[axis]);
      const total = Math.max((outputs - 1) * stride[axis] + size[axis] - image[axis], 0);
      pads[2 * axis] = total >> 1;
      pads[2 * axis + 1] = total - (total >> 1);
    }
  const positions = [0, 0];
  for (const axis of [0, 1]) {
    const [before, after] = [pads[2 * axis], pads[2 * axis + 1]], around = before + after;
    const rule = sizeRule({ input: image[axis], filter: size[axis], stride: stride[axis], before, after, dilation: 1 });
    const values = {
      rows: size[0], columns: size[1], axis: AXES[axis], pixels: image[axis], size: size[axis], around, stride: stride[axis],
    };
    if (rule.room < 0)
      return {
        name: around ? "too_large_padded" : "too_large",
        values: { ...values, fitRows: Math.min(size[0], image[0]), fitColumns: Math.min(size[1], image[1]), least: size[axis] - around },
      };
    positions[axis] = rule.positions;
    const left = rule.rest;
    if (left && padding !== "same")
      return {
        name: "not_whole",
        values: {
          ...values, outputs: Number(rule.value.toPrecision(4)), fitting: nearestDivisors(rule.room, stride[axis]),
          below: image[axis] - left, above: image[axis] - left + stride[axis],
        },
      };
  }
  return {
    size, stride, pads: /** @type {[number, number, number, number]} */ (pads), positions: /** @type {[number, number]} */ (positions),
  };
}

/**
 * The pixels that a neuron reads, by window and position; those in the padding are null.
 *
 * @param {Pair} image
 * @param {Windows} windows
 * @param {number} position - of the neuron in its group.
 * @returns {(number | null)[]} one for each place of the window, row by row.
 */
export function pixelsRead(image, windows, position) {
  const top = Math.floor(position / windows.positions[1]) * windows.stride[0] - windows.pads[0];
  const left = (position % windows.positions[1]) * windows.stride[1] - windows.pads[2];
  const found = [];
  for (let r = top; r < top + windows.size[0]; r++)
    for (let c = left; c < left + windows.size[1]; c++)
      found.push(r >= 0 && c >= 0 && r < image[0] && c < image[1] ? r * image[1] + c : null);
  return found;
}

/**
 * Weights, connections and multiply-adds for one image of each way to connect.
 *
 * @param {Wanted} wanted
 * @param {Windows | null} windows
 * @returns {Record<"dense" | "grouped" | "local", {weights: number, connections: number, work: number, fewer: number}>}
 */
export function layerCounts({ image, neurons, group }, windows) {
  const pixels = image[0] * image[1], dense = pixels * neurons, groups = neurons / group;
  /** @param {number} weights @param {number} connections @param {number} work */
  const counted = (weights, connections, work) => ({ weights, connections, work, fewer: 1 - weights / dense });
  const taps = windows ? windows.size[0] * windows.size[1] : 0;
  let read = 0;
  if (windows)
    for (let position = 0; position < group; position++)
      read += pixelsRead(image, windows, position).filter((pixel) => pixel !== null).length;
  return {
    dense: counted(dense, dense, dense),
    grouped: counted(pixels * groups, dense, pixels * groups),
    local: counted(taps * groups, read * groups, taps * neurons),
  };
}

/**
 * Weights of fully connected layers in a row.
 *
 * @param {readonly number[]} sizes - pixels, then the neurons of each layer.
 * @returns {{products: number[], total: number}}
 */
export function denseWeights(sizes) {
  const products = sizes.slice(1).map((neurons, index) => sizes[index] * neurons);
  return { products, total: products.reduce((sum, one) => sum + one, 0) };
}

/**
 * How windows are written: "3×3, stride 2×2".
 *
 * @param {Windows} windows
 */
function windowsText({ size, stride, pads }) {
  return `${size[0]}×${size[1]}${stride.some((one) => one !== 1) ? `, stride ${stride[0]}×${stride[1]}` : ""}${
    pads.some(Boolean) ? `, padding ${pads.join(",")}` : ""}`;
}

/**
 * The window that fits a group best: near to 3×3, overlapping, without padding.
 *
 * @param {Pair} image
 * @param {number} neurons
 * @param {number} group
 * @returns {Windows | null}
 */
function best(image, neurons, group) {
  let chosen = null, least = [Infinity, Infinity];
  for (const windows of fittingWindows(image, neurons, group)) {
    const [height, width] = windows.size;
    const away = Math.abs(Math.max(height, width) - 3) + 2 * (Math.max(...windows.stride) - 1) + (windows.pads.some(Boolean) ? 0.25 : 0);
    if (away < least[0] || (away === least[0] && height * width < least[1])) {
      chosen = windows;
      least = [away, height * width];
    }
  }
  return chosen;
}

/**
 * @param {Pair} image
 * @param {number} neurons
 * @param {number} group
 * @returns {Windows[]}
 */
function fittingWindows(image, neurons, group) {
  const found = [];
  for (let side = 1; side <= Math.min(Math.max(...image), LARGEST); side++) {
    const size = /** @type {Pair} */ ([Math.min(side, image[0]), Math.min(side, image[1])]);
    for (let step = 1; step <= Math.min(side, STEPS); step++)
      for (const padding of /** @type {("none" | "same")[]} */ (step === 1 && side % 2 ? ["none", "same"] : ["none"])) {
        const windows = positionsOf(image, size, [step, step], padding);
        if ("name" in windows) continue;
        const count = windows.positions[0] * windows.positions[1];
        if (neurons % count === 0 && (count > 1 || group === 1) && count === group) found.push(windows);
      }
  }
  return found;
}

/** @param {number} number @param {number} wanted */
function nearestDivisors(number, wanted) {
  const every = [];
  for (let one = 1; one <= number; one++) if (number % one === 0) every.push(one);
  every.sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted) || a - b);
  return either(every.slice(0, 4).sort((a, b) => a - b));
}

/** @param {number} neurons @param {number} count */
function multiples(neurons, count) {
  const below = Math.floor(neurons / count) * count, above = Math.ceil(neurons / count) * count;
  return below === 0 || below === above ? `${above}` : `${below} or ${above}`;
}

/** @param {readonly number[]} list */
function either(list) {
  return list.length > 1 ? `${list.slice(0, -1).join(", ")} or ${list[list.length - 1]}` : `${list[0]}`;
}
