// What a layer is given and keeps while a batch goes through it, and what each kind of layer can do.

/**
 * A layer at work on a batch. Numbers lie image by image, in float64.
 *
 * @typedef {object} LayerPass
 * @property {import("../description.js").Layer} layer
 * @property {number} index - of the layer in the network.
 * @property {readonly number[]} from - the shape of its input.
 * @property {number} images
 * @property {Float64Array} x - its input.
 * @property {Float64Array} y - its output, which `forward` fills.
 * @property {Float64Array} above - ∂L/∂y.
 * @property {Float64Array} below - ∂L/∂x, to which `backward` adds.
 * @property {ArrayLike<number>} state - all weights of the network, then its running statistics.
 * @property {Float64Array} gradient - ∂L/∂w of all weights, to which `backward` adds.
 * @property {boolean} training - whether the batch's own statistics are taken, and values dropped.
 * @property {ArrayLike<number>} keys - a random key of each image, for dropping.
 * @property {any} notes - what the kind keeps from its forward pass.
 */

/**
 * The arithmetic of one type of layer. The batch is taken image by image, so that a page can do
 * something else in between.
 *
 * @typedef {object} LayerKind
 * @property {(pass: LayerPass) => void} [beforeForward] - what needs the whole batch.
 * @property {(pass: LayerPass, image: number) => void} forward
 * @property {(pass: LayerPass) => void} [beforeBackward]
 * @property {(pass: LayerPass, image: number) => void} backward
 * @property {(pass: LayerPass, state: Float32Array) => void} [keepStatistics] - after a training step.
 */

export {};
