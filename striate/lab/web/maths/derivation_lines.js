// Which lines each figure of the derivation draws between pixels and neurons.

import { pixelsRead } from "./derivation.js";

/** @typedef {import("./derivation.js").Windows} Windows */
/** @typedef {import("./derivation.js").Wanted} Wanted */

/**
 * A line; `tap` is the place in the window, and `hue` what its colour stands for: the group of the
 * neuron, or the place in the window where lines are told apart by weight.
 *
 * @typedef {{pixel: number, neuron: number, tap: number, hue: number}} Line
 */

/** The figures of the article, counted from 0. */
export const STOPS = {
  image: 0, vector: 1, neurons: 2, dense: 3, blocks: 4, shared: 5, unique: 6, first: 7, near: 8, patch: 9, weights: 10, moving: 11,
};

/**
 * The lines of a figure.
 *
 * @param {number} stop - a figure, from 0.
 * @param {Wanted} wanted
 * @param {Windows | null} windows - null: the figures from the patch on have no lines.
 * @param {number} pixel - the one that is singled out.
 * @param {number} neuron
 * @param {"" | "pixel" | "neuron"} only - whether only the lines of that pixel or neuron stay.
 * @returns {Line[]}
 */
export function linesAt(stop, { image, neurons, group }, windows, pixel, neuron, only) {
  const pixels = image[0] * image[1], first = neuron - (neuron % group);
  /** @type {Line[]} */
  const lines = [];
  /** @param {number} from @param {number} to */
  const connect = (from, to) => void lines.push({ pixel: from, neuron: to, tap: from, hue: Math.floor(to / group) });
  if (stop === STOPS.dense || stop === STOPS.blocks) {
    for (let to = 0; to < neurons; to++) for (let from = 0; from < pixels; from++) connect(from, to);
  } else if (stop === STOPS.shared) {
    for (let to = first; to < first + group; to++) connect(pixel, to);
    return lines;
  } else if (stop === STOPS.unique) {
    for (let to = 0; to < neurons; to += group) for (let from = 0; from < pixels; from++) connect(from, to);
    if (only === "neuron") return lines.filter((line) => line.neuron === first);
  } else if (stop === STOPS.first) {
    for (let from = 0; from < pixels; from++) connect(from, neuron);
  } else if (stop >= STOPS.patch && windows) {
    const whole = stop === STOPS.moving || only === "pixel";
    for (let to = whole ? first : neuron; to < (whole ? first + group : neuron + 1); to++)
      pixelsRead(image, windows, to % group).forEach((from, tap) => {
        if (from !== null) lines.push({ pixel: from, neuron: to, tap, hue: stop === STOPS.patch ? Math.floor(to / group) : tap });
      });
  }
  if (only === "pixel") return lines.filter((line) => line.pixel === pixel);
  if (only === "neuron") return lines.filter((line) => line.neuron === neuron);
  return lines;
}
