// A network that learns by the textbook loops of this page: any network of layers that it knows.

import { BatchPass, drained } from "../network/batch_pass.js";
import { count } from "../network/description.js";
import { initialState } from "../network/initial_weights.js";
import { adamwStep } from "../network/update_rules.js";

/** @typedef {import("../network/description.js").Description} Description */

/** Images that are computed together when the network only answers. */
const ANSWERED = 64;

/**
 * Sums are in float64; weights, statistics and the optimiser's buffers are kept in float32, as striate
 * keeps them, and the update is its own to the bit.
 */
export class ReadableLearner {
  /** Weights, running statistics, and the optimiser's two means of each weight. */
  weights = new Float32Array();
  #steps = 0;
  #decays;

  /**
   * @param {Description} network
   * @param {{beta1: number, beta2: number, eps: number, weight_decay: number}} rule - of AdamW.
   * @param {number} [seed] - of the first weights: `striate train` draws those of a network file with 0, and
   *   its own seed is that of the order of images and of what is dropped.
   */
  constructor(network, rule, seed = 0) {
    this.network = network;
    this.rule = rule;
    this.seed = seed;
    this.#decays = new Uint8Array(network.size);
    for (const { weights } of network.layers)
      for (const { start, shape } of Object.values(weights))
        if (shape.length > 1) this.#decays.fill(1, start, start + count(shape));
    this.begin();
  }

  /** Where the optimiser's buffers begin. */
  get buffers() {
    return this.network.size + this.network.statistics;
  }

  /** Draws the first weights. */
  begin() {
    this.weights = new Float32Array(this.buffers + 2 * this.network.size);
    this.weights.set(initialState(this.network, this.seed));
    this.#steps = 0;
  }

  /**
   * One step, in parts.
   *
   * @param {Float32Array} images - raw pixels.
   * @param {ArrayLike<number>} labels
   * @param {number} rate
   * @param {ArrayLike<number>} keys
   * @returns {Generator<void, number>} at its end the mean loss before it.
   */
  *training(images, labels, rate, keys) {
    const pass = new BatchPass(this.network, this.weights, { images, labels }, { training: true, keys });
    yield* pass.upTo();
    const { buffers, network: { size } } = this;
    const part = (/** @type {number} */ start) => this.weights.subarray(start, start + size);
    adamwStep(part(0), part(buffers), part(buffers + size), Float32Array.from(pass.weights),
      { step: ++this.#steps, rate, decays: this.#decays }, this.rule);
    pass.keepStatistics(this.weights);
    return pass.loss;
  }

  /**
   * What the network says of images, in parts.
   *
   * @param {Float32Array} images - raw pixels of `total` images.
   * @param {number} total
   * @returns {Generator<void, Float32Array>} at its end the outputs, image by image.
   */
  *answering(images, total) {
    const { layers } = this.network, outputs = count(layers[layers.length - 1].shape), size = images.length / total;
    const found = new Float32Array(total * outputs);
    for (let first = 0; first < total; first += ANSWERED) {
      const some = images.subarray(first * size, Math.min(first + ANSWERED, total) * size);
      const pass = new BatchPass(this.network, this.weights, { images: some, labels: new Uint8Array(some.length / size) }, { training: false });
      yield* pass.upTo(layers.length);
      found.set(pass.values[layers.length], first * outputs);
    }
    return found;
  }

  /** The same at once. @param {Float32Array} images @param {number} total */
  run(images, total) {
    return drained(this.answering(images, total));
  }
}
