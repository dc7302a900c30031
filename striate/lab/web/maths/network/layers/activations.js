// Activation functions, each of one number, and their derivatives: as striate/ops/activation.py.

import { count } from "../description.js";

/** @typedef {import("../description.js").Options} Options */

/**
 * @typedef {object} Activation
 * @property {(x: number, options: Options) => number} value
 * @property {(x: number, y: number, options: Options) => number} slope - dy/dx, from the input and the output.
 */

/** sigmoid(x), with all its digits where it is small. @param {number} x */
function gate(x) {
  const shrunk = Math.exp(-Math.abs(x));
  return (x < 0 ? shrunk : 1) / (1 + shrunk);
}

/** @type {Record<string, Activation>} */
export const ACTIVATIONS = {
  ReLU: { value: (x) => (x > 0 ? x : 0), slope: (x) => (x > 0 ? 1 : 0) },
  LeakyReLU: {
    value: (x, { slope = 0.01 }) => (x > 0 ? x : slope * x),
    slope: (x, _, { slope = 0.01 }) => (x > 0 ? 1 : slope),
  },
  ReLU6: { value: (x) => Math.min(Math.max(x, 0), 6), slope: (x, y) => (y > 0 && y < 6 ? 1 : 0) },
  ELU: {
    value: (x, { alpha = 1 }) => (x > 0 ? x : alpha * Math.expm1(x)),
    slope: (x, _, { alpha = 1 }) => (x > 0 ? 1 : alpha * Math.exp(x)),
  },
  Sigmoid: { value: gate, slope: (_, y) => y * (1 - y) },
  Tanh: { value: Math.tanh, slope: (_, y) => 1 - y * y },
  SiLU: { value: (x) => x * gate(x), slope: (x) => gate(x) * (1 + x * gate(-x)) },
};

/**
 * The layer that applies one of them to each number.
 *
 * @param {Activation} activation
 * @returns {import("./layer_pass.js").LayerKind}
 */
export function activationLayer({ value, slope }) {
  return {
    forward({ layer: { shape, options }, x, y }, image) {
      const size = count(shape);
      for (let i = image * size; i < (image + 1) * size; i++) y[i] = value(x[i], options);
    },
    backward({ layer: { shape, options }, x, y, above, below }, image) {
      const size = count(shape);
      for (let i = image * size; i < (image + 1) * size; i++)
        if (above[i] !== 0) below[i] += above[i] * slope(x[i], y[i], options);
    },
  };
}
