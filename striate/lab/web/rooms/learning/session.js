// A training that goes on in slices of a frame, and what was drawn and added to its images.

import { unpacked } from "../../core/data.js";
import { compiledNetwork } from "../../maths/training/compiled_network.js";
import { Course } from "../../maths/training/course.js";

/** Milliseconds of each frame that are spent on training: the rest is for drawing. */
const SLICE = 7;

/** @typedef {import("../../maths/training/course.js").Examples} Examples */

export class Session {
  isPlaying = false;
  /** @type {Course | null} */
  course = null;
  /** Milliseconds spent on training since it began. */
  spent = 0;
  /** @type {Examples} Drawn and added by hand. */
  drawn = { images: new Float32Array(), labels: new Int32Array() };
  #frame = 0;
  #seed = 0;
  #wanted = 0;

  /**
   * @param {any} data - see striate/lab/room_data/training_room.py.
   * @param {(step: number) => void} onStep - the training has come to a step.
   * @param {() => void} onReady
   */
  constructor(data, onStep, onReady) {
    this.data = data;
    this.onStep = onStep;
    this.training = examples(data, "train");
    this.test = examples(data, "test");
    compiledNetwork(data.code, data.recipe.batch).then((network) => {
      this.network = network;
      this.begin(this.#seed);
      this.seek(this.#seed, this.#wanted);
      onReady();
    });
  }

  /** Weights and buffers as they are now. */
  get state() {
    return this.network?.weights ?? new Float32Array();
  }

  /** Begins anew, with the images that were drawn. @param {number} seed */
  begin(seed) {
    this.#seed = seed;
    if (!this.network) return;
    const images = new Float32Array(this.training.images.length + this.drawn.images.length);
    images.set(this.training.images);
    images.set(this.drawn.images, this.training.images.length);
    const labels = [...Array.from(this.training.labels), ...Array.from(this.drawn.labels)];
    this.course = new Course(this.network, { images, labels }, this.test, this.data.recipe, seed);
    this.spent = 0;
  }

  /** Goes to a step of a seed's training. @param {number} seed @param {number} step */
  seek(seed, step) {
    this.#wanted = step;
    if (!this.course) {
      this.#seed = seed;
      return;
    }
    if (seed !== this.#seed || step < this.course.step) this.begin(seed);
    this.#wanted = Math.min(step, this.course.steps);
    if (this.course.step < this.#wanted) this.#run();
  }

  play() {
    if (this.course?.isDone) this.begin(this.#seed);
    this.isPlaying = true;
    this.#run();
  }

  pause() {
    this.isPlaying = false;
  }

  /** @param {ArrayLike<number>} pixels @param {number} label */
  add(pixels, label) {
    const images = new Float32Array(this.drawn.images.length + pixels.length);
    images.set(this.drawn.images);
    images.set(pixels, this.drawn.images.length);
    this.drawn = { images, labels: Int32Array.of(...Array.from(this.drawn.labels), label) };
    this.begin(this.#seed);
  }

  close() {
    this.isPlaying = false;
    cancelAnimationFrame(this.#frame);
  }

  #run() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const course = /** @type {Course} */ (this.course), begin = performance.now();
      const goal = this.isPlaying ? course.steps : this.#wanted;
      while (course.step < goal && performance.now() - begin < SLICE) course.advance();
      this.spent += performance.now() - begin;
      if (course.isDone) this.isPlaying = false;
      const isThere = course.step >= goal;
      if (this.isPlaying || isThere) {
        this.#wanted = course.step;
        this.onStep(course.step);
      }
      if (!isThere) this.#run();
    });
  }
}

/** @param {any} data @param {"train" | "test"} part @returns {Examples} */
function examples(data, part) {
  return {
    images: Float32Array.from(unpacked(data.images[part]).numbers), labels: unpacked(data.labels[part]).numbers,
  };
}
