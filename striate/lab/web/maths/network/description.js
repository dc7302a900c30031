// A network as data: its layers, their shapes, and where their weights lie among all weights.

/**
 * @typedef {object} Layer
 * @property {string} name
 * @property {string} type - as striate calls it, such as "Conv2D".
 * @property {number[]} inputs - the layers that it reads; -1 is the image.
 * @property {number[]} shape - of its output: [height, width, channels] or [features].
 * @property {Options | Record<string, never>} options - of layers with a window.
 * @property {Record<string, {start: number, shape: number[]}>} weights
 */

/** @typedef {{size: number[], stride: number[], dilation: number[], pads: number[], groups: number}} Options */

/**
 * @typedef {object} Description
 * @property {number[]} input
 * @property {number[]} mean - of each channel; none where images stay as they are.
 * @property {number[]} std
 * @property {number} size - how many places all weights take.
 * @property {Layer[]} layers
 */

/** The layers whose arithmetic stands in this folder. */
const KNOWN = ["Conv2D", "MaxPool2D", "ReLU", "Flatten", "Dense"];

/** How many numbers a shape has. @param {readonly number[]} shape */
export const count = (shape) => shape.reduce((product, side) => product * side, 1);

/** @param {Description} network @param {number} index */
export function inputShape({ input, layers }, index) {
  const from = layers[index].inputs[0];
  return from < 0 ? input : layers[from].shape;
}

/** The filters or the matrix of a layer, and its bias. @param {Layer} layer */
export function parts({ weights }) {
  const all = Object.values(weights);
  return { filters: all.find(({ shape }) => shape.length > 1), bias: all.find(({ shape }) => shape.length === 1) };
}

/**
 * Whether each layer reads the one before, and is one of those that are computed here.
 *
 * @param {Description} network
 */
export function isReadable({ layers }) {
  return layers.every(({ type, inputs, options }, index) =>
    KNOWN.includes(type) && inputs.length === 1 && inputs[0] === index - 1 && (options.groups ?? 1) === 1);
}
