// What the ways to answer have in common.

import { say, written } from "../../core/texts.js";
import { symbol } from "../../maths/exercises/exercise.js";

/** @typedef {import("../../maths/exercises/checked_sum.js").Verdict} Verdict */

/**
 * A way to answer an exercise: numbers, a kernel, a program.
 *
 * @typedef {object} Answer
 * @property {HTMLElement} element
 * @property {() => {right: boolean, text: string, more?: HTMLElement}} check - looks at what was typed, and
 *   says what is wrong with it.
 * @property {() => readonly string[]} typed - what was typed, to be kept.
 * @property {(typed: readonly string[]) => void} fill - types what was kept.
 * @property {() => number} [open] - which of the numbers asked for is the first that is not right yet.
 */

/** Terms that are named in a sentence; more are too many to be looked at. */
const MOST_TERMS = 3;

/**
 * What stands in a sentence, its numbers written out.
 *
 * @param {Record<string, string | number>} values
 * @returns {Record<string, string>}
 */
export function writtenValues(values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typeof value === "number" ? written(value) : value]));
}

/**
 * A verdict as a sentence.
 *
 * @param {Verdict} verdict
 * @returns {string}
 */
export function writtenVerdict({ key, values = {}, terms = [] }) {
  const names = terms.slice(0, MOST_TERMS).map(({ factors }) => factors.map(symbol).join("·"));
  return say(`exercises.says.${key}`, { ...writtenValues(values), terms: names.join(", ") + (terms.length > MOST_TERMS ? ", …" : "") });
}
