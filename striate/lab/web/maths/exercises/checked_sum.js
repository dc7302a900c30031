// Is a typed answer right, and if not, which term of the sum is wrong?

import { typedSum } from "../arithmetic.js";

/** @typedef {import("../sum_terms.js").Term} Term */

/**
 * A known way to be wrong, and what comes out of it; `key` names the sentence that says so.
 *
 * @typedef {{key: string, value: number, values?: Record<string, string | number>}} Slip
 */

/**
 * What was found: the name of a sentence, the values in it, and the terms that it speaks of.
 *
 * @typedef {{right: boolean, key: string, values?: Record<string, string | number>, terms?: Term[]}} Verdict
 */

/**
 * The verdict on a typed answer.
 *
 * @param {string} text - a number, or a sum that is then looked at term by term.
 * @param {{value: number, terms?: readonly Term[], slips?: readonly Slip[]}} asked - NaN is the value of
 *   what does not fit.
 * @returns {Verdict}
 */
export function checkedSum(text, { value, terms = [], slips = [] }) {
  if (text.trim() === "") return { right: false, key: "empty" };
  if (text === NO_ANSWER || Number.isNaN(value)) {
    if (text === NO_ANSWER) return Number.isNaN(value) ? { right: true, key: "right" } : { right: false, key: "fits" };
  }
  const typed = typedSum(text);
  if (!typed) return { right: false, key: "unreadable" };
  if (near(typed.value, value)) return { right: true, key: "right" };
  if (typed.terms.length > 1 && terms.length > 0) return compared(typed.terms, terms);
  const slip = slips.find((one) => near(one.value, typed.value));
  if (slip) return { right: false, key: slip.key, values: slip.values };
  return guessed(typed.value, value, terms);
}

/** What is "typed" where no whole number is the answer. */
export const NO_ANSWER = "none";

/**
 * Which typed terms are none of the sum, and which of the sum are not typed.
 *
 * @param {readonly {value: number, text: string}[]} typed
 * @param {readonly Term[]} terms
 * @returns {Verdict}
 */
function compared(typed, terms) {
  const missing = [...terms];
  const strange = typed.filter((one) => {
    const index = missing.findIndex((term) => near(term.value, one.value));
    if (index >= 0) missing.splice(index, 1);
    return index < 0;
  });
  // Products that are 0 may be typed or not.
  const wanted = missing.filter((term) => term.value !== 0);
  const wrong = strange.filter((one) => one.value !== 0).map(({ text }) => text.replace(/-/g, "−").replace(/\*/g, "·"));
  const known = { count: terms.length - missing.length, all: terms.length };
  if (wrong.length === 0) return { right: false, key: "termsMissing", values: known, terms: wanted };
  if (wanted.length === 0) return { right: false, key: "termsTooMany", values: { ...known, typed: wrong.join(", ") } };
  return { right: false, key: "termsWrong", values: { ...known, typed: wrong.join(", ") }, terms: wanted };
}

/**
 * What one term left out, with the wrong sign, or added instead of multiplied would explain.
 *
 * @param {number} typed
 * @param {number} value
 * @param {readonly Term[]} terms
 * @returns {Verdict}
 */
function guessed(typed, value, terms) {
  /** @type {[string, (term: Term) => number][]} */
  const ways = [
    ["signWrong", (term) => value - 2 * term.value],
    ["leftOut", (term) => value - term.value],
    ["twice", (term) => value + term.value],
    ["added", (term) => value - term.value + term.factors.reduce((sum, one) => sum + one.value, 0)],
  ];
  for (const [key, result] of ways) {
    const found = terms.filter((term) => term.value !== 0 && near(result(term), typed));
    if (found.length > 0) return { right: false, key: found.length > 1 ? `${key}One` : key, terms: found };
  }
  return { right: false, key: terms.length > 0 ? "wrongSum" : "wrong" };
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {boolean}
 */
function near(a, b) {
  return Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(b));
}
