// What a figure of the derivation computes, as a sum to be written as code.

import { pixelsRead } from "../../maths/derivation.js";
import { STOPS } from "../../maths/derivation_lines.js";
import { weightsOf } from "./dense_numbers.js";

/** @typedef {import("../../maths/code/python_text.js").CodeSum} CodeSum */
/** @typedef {import("../../maths/typed_numbers.js").Matrix} Matrix */

/**
 * @param {number} stop
 * @param {Matrix} X
 * @param {import("../../maths/derivation.js").Wanted} wanted
 * @param {import("../../maths/derivation.js").Windows | null} windows
 * @param {readonly number[]} typed - the weights that were typed.
 * @returns {CodeSum | null} null where the figure shows none, or does not fit.
 */
export function figureSum(stop, X, { image, neurons, group }, windows, typed) {
  if (stop < STOPS.dense) return { kind: "flatten", X };
  if (stop < STOPS.shared) return { kind: "connected", x: X.values, neurons };
  if (stop < STOPS.near) return neurons % group ? null : { kind: "grouped", x: X.values, neurons, group };
  if (stop === STOPS.near || !windows) return null;
  const [rows, columns] = windows.size;
  const weights = Array.from({ length: neurons / group }, (_, k) => weightsOf(typed, k, rows * columns));
  if (stop < STOPS.moving)
    return { kind: "local", x: X.values, W: weights, reads: Array.from({ length: group }, (_, place) => pixelsRead(image, windows, place)) };
  return {
    kind: "sliding", X, filters: weights.map((values) => ({ rows, columns, values })),
    stride: windows.stride[0], pads: windows.pads, positions: windows.positions,
  };
}
