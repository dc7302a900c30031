// The room of exercises: typed answers, checked term by term, with new numbers for each seed.

import { html, set } from "../../core/dom.js";
import { whole } from "../../core/fields.js";
import { say } from "../../core/texts.js";
import { drawnExercise } from "../../maths/exercises/kinds.js";
import { codeField, codeView } from "../../parts/code_view.js";
import { exerciseList, titleOf } from "./exercise_list.js";
import { givenMatrix } from "./given_matrices.js";
import { kernelAnswer } from "./kernel_answer.js";
import { numberAnswer } from "./number_answer.js";
import { programAnswer } from "./program_answer.js";
import { Progress } from "./progress.js";
import { progressFile } from "./progress_file.js";
import { stepsOf, writtenSteps } from "./steps.js";

/** @typedef {import("../../core/room.js").Room} Room */
/** @typedef {import("../../core/room.js").Lab} Lab */
/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../maths/exercises/exercise.js").Exercise} Exercise */
/** @typedef {import("./answer.js").Answer} Answer */

const MOST_SEED = 999_999;

/** Of all openings of the room, as the page keeps it. */
const progress = new Progress();
/** What was typed for an exercise with certain numbers; kept while the page is open. @type {Map<string, readonly string[]>} */
const typed = new Map();

/** @type {Room} */
export const exercises_room = {
  id: "exercises",
  fields: {
    set: whole(1, 1, 1000),
    number: whole(1, 1, 1000),
    seed: whole(0, 0, MOST_SEED), // 0: that of the page
    hints: whole(0, 0, 20),
    code: codeField(),
  },
  open: (place, lab) => new ExercisesRoom(place, lab),
};

class ExercisesRoom {
  #lab;
  /** @type {import("./exercise_list.js").ExerciseSet[]} */
  #sets;
  #list;
  #card = html("section", { class: "card exercise", "aria-live": "off" });
  /** @type {OpenExercise | null} */
  #open = null;
  #shown = "";

  /** @param {HTMLElement} place @param {Lab} lab */
  constructor(place, lab) {
    this.#lab = lab;
    this.#sets = lab.data.exercises;
    this.#list = exerciseList(this.#sets, (index, number) => lab.link("exercises", { set: index + 1, number: number + 1, seed: lab.state().seed }), progress);
    const told = html("p", { role: "status" });
    const file = progressFile(progress, (text) => {
      set(told, { text });
      this.show(lab.state());
    });
    file.append(told);
    place.append(html("div", { class: "exercise-columns" }, this.#list.element, this.#card, file));
  }

  /** @param {State} state */
  show(state) {
    const index = Math.min(state.set, this.#sets.length) - 1;
    const { title, exercises } = this.#sets[index];
    const number = Math.min(state.number, exercises.length) - 1;
    const seed = state.seed || this.#lab.data.seed;
    const shown = `${index} ${number} ${seed}`;
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#open?.keep();
      const next = this.#next(index, number);
      this.#open = new OpenExercise(exercises[number], { set: title, number: number + 1, title: titleOf(exercises[number]), seed }, this.#lab, next,
        () => this.#list.show(index, number));
      this.#card.replaceChildren(...this.#open.elements);
    }
    this.#open?.show(state.hints, state.code);
    this.#list.show(index, number);
  }

  close() {
    this.#open?.keep();
  }

  /** The exercise after one, as fields; null after the last. @param {number} index @param {number} number */
  #next(index, number) {
    if (number + 1 < this.#sets[index].exercises.length) return { set: index + 1, number: number + 2 };
    return index + 1 < this.#sets.length ? { set: index + 2, number: 1 } : null;
  }
}

/** An exercise with its numbers, on the page. */
class OpenExercise {
  #options;
  #which;
  #lab;
  #exercise;
  #answer;
  #checked;
  #verdict = html("p", { class: "verdict", id: "exercise-verdict", role: "status" });
  #more = html("div", {});
  #steps = html("div", { class: "steps" });
  #hint = html("button", { type: "button", onclick: () => this.#lab.change({ hints: this.#hints + 1 }) });
  #hints = 0;
  #isSolved = false;
  #code;
  #codePlace = html("div", {});
  /** Which number the hints speak of. */
  #index = 0;

  /**
   * @param {any} options - the exercise of its set.
   * @param {{set: string, number: number, title: string, seed: number}} which
   * @param {Lab} lab
   * @param {State | null} next - the exercise after it.
   * @param {() => void} checked - what is done after each check.
   */
  constructor(options, which, lab, next, checked) {
    this.#options = options;
    this.#which = which;
    this.#lab = lab;
    this.#checked = checked;
    this.#exercise = drawnExercise(options, which.seed);
    const { given } = this.#exercise;
    this.#answer = answerOf(this.#exercise);
    this.#code = codeView(lab);
    this.#answer.fill(typed.get(this.#key) ?? []);
    const seed = html("input", {
      type: "number", min: 1, max: MOST_SEED, step: 1, value: which.seed,
      onchange: () => Number.isInteger(seed.valueAsNumber) && seed.validity.valid && lab.change({ seed: seed.valueAsNumber, hints: 0 }),
    });
    this.elements = [
      html("h2", { text: say("exercises.heading", { number: which.number, title: which.title }) }),
      html("p", { class: "question", text: options.question ?? questionOf(this.#exercise) }),
      given.length ? html("div", { class: "matrices" }, ...given.map((one) => givenMatrix(one))) : html("span"),
      html("form", { class: "answer", onsubmit: (/** @type {Event} */ event) => this.#check(event) },
        this.#answer.element,
        this.#exercise.asked.some(({ terms }) => terms?.length) ? html("p", { class: "note-small", text: say("exercises.sumToo") }) : null,
        html("div", { class: "controls" }, html("button", { class: "main", text: say("exercises.check") }), this.#hint)),
      this.#verdict,
      this.#more,
      this.#steps,
      this.#codePlace,
      html("div", { class: "controls exercise-next" },
        html("label", { class: "labelled" }, html("span", { text: say("exercises.seed") }), seed),
        html("button", { type: "button", text: say("exercises.again"), onclick: () => lab.change({ seed: (which.seed % MOST_SEED) + 1, hints: 0 }) }),
        next ? html("a", { class: "next", href: lab.link("exercises", { ...next, seed: which.seed }), text: say("exercises.next") }) : null),
    ];
  }

  get #key() {
    return `${this.#which.set} ${this.#which.number} ${this.#which.seed}`;
  }

  /** Keep what is typed for when one comes back. */
  keep() {
    typed.set(this.#key, this.#answer.typed());
  }

  /**
   * @param {number} hints - how many are shown.
   * @param {import("../../parts/code_view.js").CodeForm} form - of the code, which is there once all is known.
   */
  show(hints, form) {
    if (hints > this.#hints) this.#index = this.#hints ? this.#index : (this.#answer.open?.() ?? 0);
    const steps = stepsOf(this.#exercise, this.#options.hints, this.#index).length;
    if (hints !== this.#hints) this.#steps.replaceChildren(...(hints ? writtenSteps(this.#exercise, this.#options.hints, this.#index, hints) : []));
    this.#hints = Math.min(hints, steps);
    const left = steps - this.#hints;
    set(this.#hint, { text: left > 1 ? say("exercises.hint", { number: this.#hints + 1, all: steps - 1 }) : say("exercises.solution"), disabled: left === 0 });
    const { code } = this.#exercise;
    const isKnown = code && (left === 0 || this.#isSolved);
    if (!isKnown) return this.#codePlace.replaceChildren();
    if (!this.#codePlace.hasChildNodes()) this.#codePlace.append(this.#code.element);
    this.#code.show(form, () => code);
  }

  /** @param {Event} event */
  #check(event) {
    event.preventDefault();
    const { right, text, more } = this.#answer.check();
    set(this.#verdict, { text, class: `verdict ${right ? "is-right" : "is-wrong"}` });
    this.#more.replaceChildren(...(more ? [more] : []));
    this.#isSolved ||= right;
    const steps = stepsOf(this.#exercise, this.#options.hints, this.#index).length;
    progress.note(this.#which, { right, hints: Math.min(this.#hints, steps - 1), seen: this.#hints >= steps });
    this.#checked();
    this.show(this.#hints, this.#lab.state().code);
  }
}

/**
 * The way in which an exercise is answered.
 *
 * @param {Exercise} exercise
 * @returns {Answer}
 */
function answerOf(exercise) {
  if (exercise.kernel) return kernelAnswer(exercise);
  return exercise.program ? programAnswer(exercise) : numberAnswer(exercise);
}

/**
 * What is asked, with how the window moves where it does not move place by place.
 *
 * @param {Exercise} exercise
 * @returns {string}
 */
function questionOf({ question, values, given }) {
  const asked = say(`exercises.ask.${question}`, values);
  if ("bias" in values) return `${asked} ${say(values.bias ? "exercises.ask.withBias" : "exercises.ask.withoutBias")}`;
  if (given.length === 0 || !("padding" in values)) return asked;
  const moves = [
    values.flip && question !== "askConvolution" ? say("exercises.move.flip") : "",
    Number(values.stride) > 1 ? say("exercises.move.stride", values) : "",
    Number(values.padding) > 0 ? say("exercises.move.padding", values) : "",
    Number(values.dilation) > 1 ? say("exercises.move.dilation", values) : "",
  ];
  return [asked, ...moves].filter(Boolean).join(" ");
}
