// A training that goes on in slices of a frame, and what was drawn and added to its images.

import { unpacked } from "../../core/data.js";
import { compiledNetwork } from "../../maths/training/compiled_network.js";
import { Course } from "../../maths/training/course.js";
import { ReadableLearner } from "../../maths/training/readable_learner.js";

/** Milliseconds of each frame that are spent on training: the rest is for drawing. */
const SLICE = 10;

/** @typedef {import("../../maths/training/course.js").Examples} Examples */
/** @typedef {import("../../maths/training/course.js").Learner} Learner */
/** @typedef {import("../../maths/network/description.js").Description} Description */

export class Session {
  isPlaying = false;
  /** What learns; null while it is fetched, and while a network does not fit. @type {Learner | null} */
  learner = null;
  /** @type {Course | null} */
  course = null;
  /** Milliseconds spent on training since it began, and the images of its steps. */
  spent = 0;
  trained = 0;
  /** @type {Examples} Drawn and added by hand. */
  drawn = { images: new Float32Array(), labels: new Int32Array() };
  /** @type {Learner | null} The one that came along. */
  #compiled = null;
  /** @type {{key: string, network: Description | null}} */
  #chosen = { key: "", network: null };
  /** @type {Generator<void, void> | null} A step that is under way. */
  #underway = null;
  #frame = 0;
  #seed = 0;
  #wanted = 0;

  /**
   * @param {any} data - see striate/lab/room_data/training_room.py.
   * @param {(step: number) => void} onStep - the training has come to a step.
   * @param {() => void} onChange - something else is to be shown.
   */
  constructor(data, onStep, onChange) {
    this.data = data;
    this.onStep = onStep;
    this.onChange = onChange;
    this.training = examples(data, "train");
    this.test = examples(data, "test");
    compiledNetwork(data.code, data.recipe.batch).then((network) => {
      this.#compiled = network;
      if (this.#chosen.key !== "") return;
      this.begin(this.#seed);
      this.seek(this.#seed, this.#wanted);
      onChange();
    });
  }

  /** What is learned, as it is now: weights, statistics, and the optimiser's buffers. */
  get state() {
    return this.learner?.weights ?? new Float32Array();
  }

  /** Images of training in a second; 0 before there are any. */
  get speed() {
    return this.spent > 0 ? (1000 * this.trained) / this.spent : 0;
  }

  /**
   * Which network is trained.
   *
   * @param {string} key - another one for another network; "" for the one that came along.
   * @param {Description | null} network - of an edited one; null where it does not fit.
   */
  choose(key, network) {
    if (key === this.#chosen.key) return;
    this.#chosen = { key, network };
    this.isPlaying = false;
    this.begin(this.#seed);
  }

  /** Begins anew, with the images that were drawn. @param {number} seed */
  begin(seed) {
    this.#seed = seed;
    const { key, network } = this.#chosen;
    this.#underway = null;
    this.course = null;
    this.learner = key === "" ? this.#compiled : network && new ReadableLearner(network, this.data.recipe.optimizer);
    this.spent = this.trained = 0;
    if (!this.learner) return;
    const images = new Float32Array(this.training.images.length + this.drawn.images.length);
    images.set(this.training.images);
    images.set(this.drawn.images, this.training.images.length);
    const labels = [...Array.from(this.training.labels), ...Array.from(this.drawn.labels)];
    this.course = new Course(this.learner, { images, labels }, this.test, this.data.recipe, seed);
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

  /** Stops after the step that is under way. */
  pause() {
    if (this.isPlaying && this.course && this.#underway) this.#wanted = this.course.step + 1;
    this.isPlaying = false;
    if (this.#underway) this.#run();
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
      const { course } = this, begin = performance.now();
      if (!course) return;
      const before = course.step;
      const goal = this.isPlaying ? course.steps : this.#wanted;
      while (course.step < goal && performance.now() - begin < SLICE) this.#advance(course);
      this.spent += performance.now() - begin;
      if (course.isDone) this.isPlaying = false;
      const isThere = course.step >= goal;
      if ((this.isPlaying && course.step > before) || isThere) {
        this.#wanted = course.step;
        this.onStep(course.step);
      } else if (!this.isPlaying) this.onChange();
      if (!isThere) this.#run();
    });
  }

  /** Does a part of the step that is under way, or of the next one. @param {Course} course */
  #advance(course) {
    this.#underway ??= course.advancing();
    if (!this.#underway.next().done) return;
    this.#underway = null;
    this.trained += course.rows.length;
  }
}

/** @param {any} data @param {"train" | "test"} part @returns {Examples} */
function examples(data, part) {
  return {
    images: Float32Array.from(unpacked(data.images[part]).numbers), labels: unpacked(data.labels[part]).numbers,
  };
}
