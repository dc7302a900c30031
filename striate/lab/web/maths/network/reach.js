// What a value sees of the image, and which later values it can move, through all layers between.
//
// Both follow from windows alone, not from numbers: of a maximum each pixel of the window counts, since
// any of them may be the largest.

import { asImage, inputShape, windowOf } from "./description.js";
import { taps } from "./terms.js";
import { outputsOver } from "./windows.js";

/** @typedef {import("./description.js").Description} Description */
/** @typedef {import("./description.js").Layer} Layer */

/**
 * Values of one layer: those of some channels at some pixels, which are row · width + column.
 *
 * @typedef {{pixels: Set<number>, channels: Set<number>}} Area
 */

/** @param {number} size */
const numbersTo = (size) => Array.from({ length: size }, (_, index) => index);

/** @param {readonly number[]} shape @returns {Area} */
function everything(shape) {
  const [rows, columns, channels] = asImage(shape);
  return { pixels: new Set(numbersTo(rows * columns)), channels: new Set(numbersTo(channels)) };
}

/** Whether an area has a place of a shape. @param {Area} area @param {readonly number[]} shape @param {number} place */
export function holds({ pixels, channels }, shape, place) {
  const depth = asImage(shape)[2];
  return pixels.has(Math.floor(place / depth)) && channels.has(place % depth);
}

/**
 * The areas of all layers that a value sees, or can move; itself too.
 *
 * @param {Description} network - a chain.
 * @param {number} layer - of the value; -1 is the image.
 * @param {number} place
 * @returns {Map<number, Area>} by layer.
 */
export function reachOf(network, layer, place) {
  const shape = layer < 0 ? network.input : network.layers[layer].shape, depth = asImage(shape)[2];
  /** @type {Area} */
  const own = { pixels: new Set([Math.floor(place / depth)]), channels: new Set([place % depth]) };
  const found = new Map([[layer, own]]);
  let area = own;
  for (let at = layer; at >= 0; at--) found.set(at - 1, (area = readFrom(network.layers[at], inputShape(network, at), area)));
  area = own;
  for (let at = layer + 1; at < network.layers.length; at++)
    found.set(at, (area = movedIn(network.layers[at], inputShape(network, at), area)));
  return found;
}

/** What an area of a layer's output reads of its input. @param {Layer} layer @param {readonly number[]} from @param {Area} area @returns {Area} */
function readFrom(layer, from, { pixels, channels }) {
  if (layer.type === "Dense") return everything(from);
  if (layer.type === "Flatten") {
    const depth = asImage(from)[2], features = [...channels];
    return { pixels: new Set(features.map((one) => Math.floor(one / depth))), channels: new Set(features.map((one) => one % depth)) };
  }
  if (!layer.options.size) return { pixels, channels };
  const depth = asImage(layer.shape)[2];
  const read = [...pixels].flatMap((pixel) => taps(layer, from, pixel * depth).map(({ place }) => place));
  return { pixels: new Set(read), channels: grouped(layer, channels, depth, asImage(from)[2]) };
}

/** What of a layer's output an area of its input can move. @param {Layer} layer @param {readonly number[]} from @param {Area} area @returns {Area} */
function movedIn(layer, from, { pixels, channels }) {
  if (layer.type === "Dense") return everything(layer.shape);
  const depth = asImage(from)[2];
  if (layer.type === "Flatten")
    return { pixels: new Set([0]), channels: new Set([...pixels].flatMap((pixel) => [...channels].map((c) => pixel * depth + c))) };
  if (!layer.options.size) return { pixels, channels };
  const [rows, columns, made] = asImage(layer.shape);
  const moved = [...pixels].flatMap((pixel) =>
    outputsOver(windowOf(layer), [rows, columns], Math.floor(pixel / from[1]), pixel % from[1])
      .map(({ row, column }) => row * columns + column));
  return { pixels: new Set(moved), channels: grouped(layer, channels, depth, made) };
}

/**
 * The channels at the other side of a window: of a convolution all of the same groups, else the same.
 *
 * @param {Layer} layer
 * @param {Set<number>} channels
 * @param {number} here - how many there are on this side.
 * @param {number} there
 * @returns {Set<number>}
 */
function grouped(layer, channels, here, there) {
  if (layer.type !== "Conv2D") return channels;
  const { groups } = windowOf(layer), own = new Set([...channels].map((one) => Math.floor(one / (here / groups))));
  return new Set(numbersTo(there).filter((one) => own.has(Math.floor(one / (there / groups)))));
}
