// The taps of a window at each of its places, those in the padding left out.

import { asImage, windowOf } from "../description.js";
import { tapsOf } from "../windows.js";

/** @typedef {import("../description.js").Layer} Layer */

/**
 * The taps of all places, one place after the other.
 *
 * @typedef {object} WindowTable
 * @property {Int32Array} starts - where those of each place begin; one more at the end.
 * @property {Int32Array} taps - row · size + column in the window.
 * @property {Int32Array} places - row · width + column in the input.
 */

/** @type {WeakMap<Layer, WindowTable>} */
const made = new WeakMap();

/**
 * @param {Layer} layer
 * @param {readonly number[]} from - the shape of its input.
 * @returns {WindowTable}
 */
export function windowTable(layer, from) {
  const known = made.get(layer);
  if (known) return known;
  const window = windowOf(layer), [rows, columns] = asImage(layer.shape);
  const starts = new Int32Array(rows * columns + 1), taps = [], places = [];
  for (let at = 0; at < rows * columns; at++) {
    for (const { tap, row, column, inside } of tapsOf(window, from, Math.floor(at / columns), at % columns)) {
      if (!inside) continue;
      taps.push(tap);
      places.push(row * from[1] + column);
    }
    starts[at + 1] = taps.length;
  }
  const table = { starts, taps: Int32Array.from(taps), places: Int32Array.from(places) };
  made.set(layer, table);
  return table;
}

/**
 * By how many pixels an average divides at each place: those of the window in the image, and in the
 * part of its padding that counts (striate's `count_padding`).
 *
 * @param {Layer} layer
 * @param {readonly number[]} from
 * @param {number} place
 */
export function averagedPixels(layer, from, place) {
  const { size, stride, dilation, pads, counted = [0, 0, 0, 0] } = windowOf(layer);
  const columns = asImage(layer.shape)[1], at = [Math.floor(place / columns), place % columns];
  const along = [0, 1].map((axis) => {
    let pixels = 0;
    for (let tap = 0; tap < size[axis]; tap++) {
      const read = at[axis] * stride[axis] + tap * dilation[axis] - pads[2 * axis];
      if (read >= -counted[2 * axis] && read < from[axis] + counted[2 * axis + 1]) pixels++;
    }
    return pixels;
  });
  return along[0] * along[1];
}
