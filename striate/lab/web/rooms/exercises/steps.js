// Hints and solutions, step by step.

import { html } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { givenMatrix } from "./given_matrices.js";
import { writtenFormula } from "./written_expression.js";

/** @typedef {import("../../maths/exercises/exercise.js").Exercise} Exercise */
/** @typedef {import("../../maths/exercises/exercise.js").Step} Step */

/**
 * The steps of an exercise: the hints of its set, then those of one number that is asked for.
 *
 * @param {Exercise} exercise
 * @param {readonly string[]} own - hints of the set.
 * @param {number} index - of the number.
 * @returns {Step[]}
 */
export function stepsOf({ asked, steps = [] }, own, index) {
  return [...own.map((text) => ({ text })), ...(asked[index]?.steps ?? steps)];
}

/**
 * The first steps as a list; once all are shown, the solutions of all other numbers as well.
 *
 * @param {Exercise} exercise
 * @param {readonly string[]} own
 * @param {number} index
 * @param {number} count - how many steps.
 * @returns {HTMLElement[]}
 */
export function writtenSteps(exercise, own, index, count) {
  const steps = stepsOf(exercise, own, index);
  const shown = steps.slice(0, count).map(writtenStep);
  if (count < steps.length) return shown;
  const others = exercise.asked.filter((_, other) => other !== index);
  return [...shown, ...others.flatMap((one) => one.steps.filter((step) => "line" in step).map(writtenStep))];
}

/**
 * @param {Step} step
 * @returns {HTMLElement}
 */
function writtenStep(step) {
  if ("line" in step) return writtenFormula(step.line);
  if ("matrix" in step) return givenMatrix(step.matrix);
  if ("code" in step) return html("pre", { class: "code", tabindex: 0, text: step.code });
  return html("p", { text: "text" in step ? step.text : say(`exercises.steps.${step.key}`, step.values) });
}
