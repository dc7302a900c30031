// The functions that a program may call: a few of Python's and NumPy's, under their names.

import { NumberView, arrayOf, sliced } from "./arrays.js";

/** @typedef {import("./run.js").Value} Value */

/** Numbers that an array of a program may have. */
const MOST_NUMBERS = 10_000;

/**
 * Each returns null for what it cannot be given.
 *
 * @type {Record<string, (given: Value[]) => Value | null>}
 */
export const FUNCTIONS = {
  len: ([of, ...more]) => (more.length ? null : Array.isArray(of) ? of.length : of instanceof NumberView && of.shape.length ? of.shape[0] : null),
  abs: ([of, ...more]) => (more.length ? null : each(of, Math.abs)),
  min: (given) => least(given, Math.min),
  max: (given) => least(given, Math.max),
  sum: ([of, ...more]) => (more.length === 0 && of instanceof NumberView ? of.numbers().reduce((all, one) => all + one, 0) : null),
  zeros: ([shape, ...more]) => (more.length ? null : empty(shape)),
  zeros_like: ([of, ...more]) => (more.length === 0 && of instanceof NumberView ? arrayOf(of.shape, new Array(of.size).fill(0)) : null),
  copy: ([of, ...more]) => (more.length === 0 && of instanceof NumberView ? arrayOf(of.shape, of.numbers()) : null),
  flip: ([of, ...more]) => (more.length === 0 && of instanceof NumberView ? turned(of) : null),
  pad: ([of, by, ...more]) => (more.length === 0 && of instanceof NumberView && typeof by === "number" ? padded(of, by) : null),
};

/** @param {Value} of @param {(value: number) => number} compute */
function each(of, compute) {
  if (of instanceof NumberView) return arrayOf(of.shape, of.numbers().map(compute));
  return typeof of === "number" ? compute(of) : null;
}

/** @param {Value[]} given @param {(...numbers: number[]) => number} choose */
function least(given, choose) {
  if (given.length === 1 && given[0] instanceof NumberView && given[0].size) return choose(...given[0].numbers());
  const numbers = given.length === 1 && Array.isArray(given[0]) ? given[0] : given;
  return numbers.length && numbers.every((one) => typeof one === "number") ? choose(.../** @type {number[]} */ (numbers)) : null;
}

/** @param {Value} shape */
function empty(shape) {
  const sides = Array.isArray(shape) ? shape : [shape];
  if (!sides.every((side) => typeof side === "number" && Number.isInteger(side) && side >= 0)) return null;
  const size = /** @type {number[]} */ (sides).reduce((all, side) => all * side, 1);
  return size > MOST_NUMBERS ? null : arrayOf(/** @type {number[]} */ (sides), new Array(size).fill(0));
}

/** Turned round on all axes, as a view. @param {NumberView} of */
function turned(of) {
  let offset = of.offset;
  const steps = of.steps.map((step, axis) => {
    const { start } = sliced(of.shape[axis], null, null, -1);
    offset += Math.max(start, 0) * step;
    return -step;
  });
  return new NumberView(of.data, of.shape, offset, steps);
}

/** With zeros around it. @param {NumberView} of @param {number} by */
function padded(of, by) {
  if (!Number.isInteger(by) || by < 0 || of.shape.length !== 2) return null;
  const [rows, columns] = of.shape;
  const [height, width] = [rows + 2 * by, columns + 2 * by];
  if (height * width > MOST_NUMBERS) return null;
  const made = new Array(height * width).fill(0);
  of.numbers().forEach((value, i) => (made[(Math.floor(i / columns) + by) * width + (i % columns) + by] = value));
  return arrayOf([height, width], made);
}
