// A network as data: its layers, their shapes, and where their weights lie among all weights.

/**
 * @typedef {object} Layer
 * @property {string} name
 * @property {string} type - as striate calls it, such as "Conv2D".
 * @property {number[]} inputs - the layers that it reads; -1 is the image.
 * @property {number[]} shape - of its output: [height, width, channels] or [features].
 * @property {Options} options - what its arithmetic needs: of layers with a window all of `Window`.
 * @property {Record<string, Place>} weights - by name: "filters", "bias", "scale", …
 * @property {Record<string, Place>} statistics - running "mean" and "variance", behind all weights.
 * @property {Record<string, any>} [arguments] - with which striate makes the layer.
 */

/** @typedef {{start: number, shape: number[]}} Place - of an array among the numbers of the state. */

/** @typedef {{size: number[], stride: number[], dilation: number[], pads: number[], groups: number, counted?: number[]}} Window */

/** @typedef {Partial<Window> & {eps?: number, momentum?: number, rate?: number, slope?: number, alpha?: number}} Options */

/**
 * @typedef {object} Description
 * @property {number[]} input
 * @property {number[]} mean - of each channel; none where images stay as they are.
 * @property {number[]} std
 * @property {number} size - how many places all weights take.
 * @property {number} statistics - how many places follow for running statistics.
 * @property {Layer[]} layers
 */

/** How many numbers a shape has. @param {readonly number[]} shape */
export const count = (shape) => shape.reduce((product, side) => product * side, 1);

/** A shape as [rows, columns, channels]; a vector is an image of one pixel. @param {readonly number[]} shape */
export const asImage = (shape) => (shape.length === 3 ? shape : [1, 1, shape[0]]);

/** @param {Description} network @param {number} index */
export function inputShape({ input, layers }, index) {
  const from = layers[index].inputs[0];
  return from < 0 ? input : layers[from].shape;
}

/** The filters or the matrix of a layer, and its bias. @param {Layer} layer */
export function parts({ weights }) {
  return { filters: weights.filters ?? weights.weights, bias: weights.bias };
}

/** The options of a layer that slides a window. @param {Layer} layer */
export const windowOf = ({ options }) => /** @type {Window} */ (options);
