// A batch on its way through a network in float64, stage by stage: forward layer by layer, the loss,
// backward layer by layer. Each stage is a generator that pauses after each image.

import { count, inputShape } from "./description.js";
import { KINDS } from "./layers/kinds.js";
import { softmax } from "./softmax.js";

/** @typedef {import("./description.js").Description} Description */
/** @typedef {import("./layers/layer_pass.js").LayerPass} LayerPass */
/** @typedef {{images: ArrayLike<number>, labels: ArrayLike<number>}} Batch - raw pixels, image by image. */

export class BatchPass {
  /** Stages that are done: the layers forward, the loss, the layers backward. */
  done = 0;
  /** The mean loss of the images; NaN until it is computed. */
  loss = NaN;
  /** The standardised images, then the output of each layer; empty where it is not computed yet. @type {Float64Array[]} */
  values;
  /** ∂L/∂ each of these, L the mean loss; likewise. @type {Float64Array[]} */
  gradients;
  /** ∂L/∂w of all weights. */
  weights;
  /** Softmax of the last layer, image by image. */
  probabilities = new Float64Array();
  /** @type {LayerPass[]} */
  #layers = [];

  /**
   * @param {Description} network
   * @param {ArrayLike<number>} state - its weights, then its running statistics; in float32.
   * @param {Batch} batch
   * @param {{training: boolean, keys?: ArrayLike<number>}} mode - see `LayerPass`.
   */
  constructor(network, state, { images, labels }, { training, keys = [] }) {
    this.network = network;
    this.state = state instanceof Float32Array ? state : Float32Array.from(state);
    this.labels = labels;
    this.mode = { training, keys };
    this.images = labels.length;
    const nothing = () => new Float64Array();
    this.values = [standardised(network, images), ...network.layers.map(nothing)];
    this.gradients = [nothing(), ...network.layers.map(nothing)];
    this.weights = new Float64Array(network.size);
  }

  /** How many stages there are. */
  get stages() {
    return 2 * this.network.layers.length + 1;
  }

  /** The layer through which a stage goes, and which way; -1 for the loss. @param {number} stage - from 0. */
  stageAt(stage) {
    const { length } = this.network.layers;
    return stage < length ? { layer: stage, backward: false }
      : { layer: stage === length ? -1 : 2 * length - stage, backward: true };
  }

  /** Computes the next stage. @returns {Generator<void, void>} */
  *next() {
    const { layer, backward } = this.stageAt(this.done);
    if (layer < 0) this.#computeLoss();
    else if (backward) yield* this.#backward(layer);
    else yield* this.#forward(layer);
    this.done++;
  }

  /** Computes all stages up to so many. @param {number} [stages] @returns {Generator<void, void>} */
  *upTo(stages = this.stages) {
    while (this.done < Math.min(stages, this.stages)) yield* this.next();
  }

  /** A layer with all that it was given and keeps. @param {number} index */
  layer(index) {
    return this.#layers[index];
  }

  /** Moves the running statistics towards those of this batch. @param {Float32Array} state */
  keepStatistics(state) {
    for (const pass of this.#layers) KINDS[pass.layer.type].keepStatistics?.(pass, state);
  }

  /** @param {number} index @returns {Generator<void, void>} */
  *#forward(index) {
    const layer = this.network.layers[index], kind = KINDS[layer.type];
    const y = new Float64Array(this.images * count(layer.shape));
    /** @type {LayerPass} */
    const pass = {
      layer, index, from: inputShape(this.network, index), images: this.images, x: this.values[index], y,
      above: y, below: y, state: this.state, gradient: this.weights, notes: null, ...this.mode,
    };
    this.#layers[index] = pass;
    kind.beforeForward?.(pass);
    for (let image = 0; image < this.images; image++) {
      kind.forward(pass, image);
      yield;
    }
    this.values[index + 1] = y;
  }

  /** Softmax cross-entropy, the mean over the images: ∂L/∂z = (probability − 1 for the right class) / images. */
  #computeLoss() {
    const logits = this.values[this.values.length - 1], classes = logits.length / this.images;
    const gradient = new Float64Array(logits.length);
    this.probabilities = new Float64Array(logits.length);
    this.loss = 0;
    for (let image = 0; image < this.images; image++) {
      const own = logits.subarray(image * classes, (image + 1) * classes), label = this.labels[image];
      const p = softmax(own), most = own.reduce((high, z) => Math.max(high, z), -Infinity);
      const sum = own.reduce((total, z) => total + Math.exp(z - most), 0);
      this.loss += (Math.log(sum) + most - own[label]) / this.images;
      this.probabilities.set(p, image * classes);
      gradient.set(p.map((one, c) => (one - (c === label ? 1 : 0)) / this.images), image * classes);
    }
    this.gradients[this.gradients.length - 1] = gradient;
  }

  /** @param {number} index @returns {Generator<void, void>} */
  *#backward(index) {
    const pass = this.#layers[index], kind = KINDS[pass.layer.type];
    pass.above = this.gradients[index + 1];
    pass.below = new Float64Array(pass.x.length);
    kind.beforeBackward?.(pass);
    for (let image = 0; image < this.images; image++) {
      kind.backward(pass, image);
      yield;
    }
    this.gradients[index] = pass.below;
  }
}

/**
 * (pixel − mean) / deviation of its channel, in float32 as striate does it; or the pixels as they are.
 *
 * @param {Description} network
 * @param {ArrayLike<number>} pixels
 * @returns {Float64Array}
 */
function standardised({ mean, std }, pixels) {
  if (!mean.length) return Float64Array.from(pixels);
  const [middle, spread] = [Float32Array.from(mean), Float32Array.from(std)];
  return Float64Array.from(pixels, (pixel, i) =>
    Math.fround(Math.fround(Math.fround(pixel) - middle[i % middle.length]) / spread[i % spread.length]));
}

/**
 * What a generator returns at its end.
 *
 * @template Result
 * @param {Generator<void, Result>} parts
 * @returns {Result}
 */
export function drained(parts) {
  for (;;) {
    const { done, value } = parts.next();
    if (done) return /** @type {Result} */ (value);
  }
}
