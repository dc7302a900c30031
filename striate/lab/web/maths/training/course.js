// A training under way, step by step, in the order of striate's `fit`.

import { drained } from "../network/batch_pass.js";
import { batchSizes, imageKeys, oneCycle, orderOf } from "./batches.js";

/**
 * What learns: striate's compiled step, or the readable layers. Generators pause between parts of the
 * work, and have their result at the end.
 *
 * @typedef {object} Learner
 * @property {Float32Array} weights - and what else is learned, as it is now.
 * @property {number} buffers - where the optimiser's buffers begin in them.
 * @property {() => void} begin - forgets all that was learned.
 * @property {(images: Float32Array, labels: ArrayLike<number>, rate: number, keys: ArrayLike<number>) => Generator<void, number>} training
 *   - one step; the mean loss before it.
 * @property {(images: Float32Array, count: number) => Generator<void, Float32Array>} answering - the outputs.
 * @property {(images: Float32Array, count: number) => Float32Array} run - the same at once.
 */

/** @typedef {{images: Float32Array, labels: ArrayLike<number>}} Examples - raw pixels, image by image. */
/** @typedef {{epochs: number, batch: number, rate: number, peak: number, start: number, final: number}} Recipe */
/** @typedef {{epoch: number, loss: number, accuracy: number, rate: number}} EpochRow - of the test images. */

export class Course {
  /** Steps that are done. */
  step = 0;
  /** The loss of each step. @type {number[]} */
  losses = [];
  /** @type {EpochRow[]} */
  epochs = [];
  /** The rows of the batch that was taken last. @type {ArrayLike<number>} */
  rows = new Int32Array();
  /** @type {Int32Array} */
  #order = new Int32Array();
  #sizes;
  #sum = 0;

  /**
   * @param {Learner} learner
   * @param {Examples} training
   * @param {Examples} test
   * @param {Recipe} recipe
   * @param {number} seed
   */
  constructor(learner, training, test, recipe, seed) {
    this.learner = learner;
    this.training = training;
    this.test = test;
    this.recipe = recipe;
    this.seed = seed;
    this.#sizes = batchSizes(training.labels.length, recipe.batch);
    learner.begin();
  }

  get steps() {
    return this.#sizes.length * this.recipe.epochs;
  }

  get isDone() {
    return this.step >= this.steps;
  }

  /** The rows and the rate of the step that comes next. */
  next() {
    const each = this.#sizes.length, epoch = Math.floor(this.step / each), index = this.step % each;
    if (index === 0 || this.#order.length === 0)
      this.#order = orderOf(this.seed, epoch, this.training.labels.length);
    const first = this.#sizes.slice(0, index).reduce((sum, size) => sum + size, 0);
    const rows = this.#order.slice(first, first + this.#sizes[index]);
    return { epoch, index, rows, rate: oneCycle(this.step, this.steps, this.recipe) };
  }

  /** The keys by which the next step drops values. */
  nextKeys() {
    const { epoch, rows } = this.next();
    return imageKeys(this.seed, epoch, rows);
  }

  /**
   * Trains by one step, in parts; after the last of an epoch the test images are counted.
   *
   * @returns {Generator<void, void>}
   */
  *advancing() {
    const { index, rows, rate } = this.next(), keys = this.nextKeys();
    const { images, labels } = gathered(this.training, rows);
    const loss = yield* this.learner.training(images, labels, rate, keys);
    this.rows = rows;
    this.losses.push(loss);
    this.#sum = (index ? this.#sum : 0) + loss * rows.length;
    if (index === this.#sizes.length - 1) {
      const accuracy = (yield* rightOf(this.learner, this.test)) / this.test.labels.length;
      this.epochs.push({ epoch: this.epochs.length + 1, loss: this.#sum / this.training.labels.length, accuracy, rate });
    }
    this.step++;
  }

  /** The same at once. */
  advance() {
    drained(this.advancing());
  }
}

/**
 * Some of the examples.
 *
 * @param {Examples} from
 * @param {ArrayLike<number>} rows
 * @returns {Examples}
 */
export function gathered({ images, labels }, rows) {
  const size = images.length / labels.length, some = new Float32Array(rows.length * size);
  for (let i = 0; i < rows.length; i++) some.set(images.subarray(rows[i] * size, (rows[i] + 1) * size), i * size);
  return { images: some, labels: Int32Array.from(rows, (row) => labels[row]) };
}

/**
 * How many examples get their class.
 *
 * @param {Learner} learner
 * @param {Examples} examples
 * @returns {Generator<void, number>}
 */
function* rightOf(learner, { images, labels }) {
  const outputs = yield* learner.answering(images, labels.length), each = outputs.length / labels.length;
  let right = 0;
  for (let i = 0; i < labels.length; i++)
    if (largest(outputs.subarray(i * each, (i + 1) * each)) === labels[i]) right++;
  return right;
}

/** Where the largest of some numbers stands; the first of equal ones. @param {ArrayLike<number>} values */
export function largest(values) {
  let place = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[place]) place = i;
  return place;
}
