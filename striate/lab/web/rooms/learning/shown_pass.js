// The pass through the network whose numbers are shown: a test image, or the next batch so far as it is
// computed.

import { BatchPass } from "../../maths/network/batch_pass.js";
import { passOf } from "../../maths/network/readable_network.js";
import { gathered } from "../../maths/training/course.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("../../maths/network/description.js").Description} Description */
/** @typedef {{pass: BatchPass, image: number, isBatch: boolean}} Shown - `image` is the place in the pass. */

/** Milliseconds of a frame for computing a batch. */
const SLICE = 10;

export class ShownPass {
  /** The next batch as in training; null until it is asked for. @type {BatchPass | null} */
  #batch = null;
  /** Of which step it is. */
  #course = /** @type {unknown} */ (null);
  #step = -1;
  /** What is left of the stage under way. @type {Generator<void, void> | null} */
  #parts = null;

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
  }

  /**
   * The next batch after some stages, which are computed in slices of a frame.
   *
   * @param {Description} network
   * @param {number} stages
   * @returns {BatchPass | null} null where the training is at its end.
   */
  batch(network, stages) {
    const { course, state } = this.session;
    if (!course || course.isDone) return null;
    const isOther = this.#course !== course || this.#step !== course.step;
    if (!this.#batch || isOther || this.#batch.done > stages) {
      const { rows } = course.next(), { images, labels } = gathered(course.training, rows);
      const copy = state.slice(0, network.size + network.statistics);
      this.#batch = new BatchPass(network, copy, { images, labels }, { training: true, keys: course.nextKeys() });
      this.#course = course;
      this.#step = course.step;
      this.#parts = null;
    }
    const begin = performance.now();
    while (this.#batch.done < stages && performance.now() - begin < SLICE) {
      this.#parts ??= this.#batch.next();
      if (this.#parts.next().done) this.#parts = null;
    }
    if (this.#batch.done < stages) this.session.onChange();
    return this.#batch;
  }

  /**
   * What is shown.
   *
   * @param {Description} network
   * @param {{stage: number, image: number}} state - of the room; stage 0 is a test image, computed as a whole.
   * @returns {Shown}
   */
  at(network, { stage, image }) {
    const batch = stage > 0 ? this.batch(network, stage - 1) : null;
    if (batch) return { pass: batch, image: Math.min(image, batch.images - 1), isBatch: true };
    const { test, state } = this.session, size = test.images.length / test.labels.length;
    const at = Math.min(image, test.labels.length - 1);
    const pixels = test.images.subarray(at * size, (at + 1) * size);
    return { pass: passOf(network, state, pixels, test.labels[at]), image: 0, isBatch: false };
  }
}
