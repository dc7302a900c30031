// Formulas in MathML, which browsers typeset and screen readers read.

import { html, math } from "../core/dom.js";
import { scrolling } from "./scrolling.js";

/** @typedef {Element | string | number} Term */

/**
 * A formula that stands by itself.
 *
 * @param {...Term} terms
 * @returns {HTMLElement}
 */
export function formula(...terms) {
  return scrolling(html("div", { class: "formula" }, math("math", { display: "block" }, row(...terms))));
}

/**
 * Terms beside each other. Strings are names (one letter), numbers, or operators, as they look.
 *
 * @param {...Term} terms
 * @returns {Element}
 */
export function row(...terms) {
  return math("mrow", {}, ...terms.map(term));
}

/**
 * @param {Term} over
 * @param {Term} under
 * @returns {Element}
 */
export function fraction(over, under) {
  return math("mfrac", {}, term(over), term(under));
}

/**
 * @param {Term} base
 * @param {Term} below
 * @returns {Element}
 */
export function indexed(base, below) {
  return math("msub", {}, term(base), term(below));
}

/**
 * A part of a formula in the colour of what it is: "input", "filter", "output" or "mark".
 *
 * @param {string} kind
 * @param {Term} part
 * @returns {Element}
 */
export function coloured(kind, part) {
  return math("mrow", { class: `is-${kind}` }, term(part));
}

/**
 * @param {Term} given
 * @returns {Element}
 */
function term(given) {
  if (given instanceof Element) return given;
  if (typeof given === "number") return math("mn", { text: String(given).replace("-", "−") });
  const tag = /^[−-]?\d/.test(given) ? "mn" : /\p{L}/u.test(given) ? "mi" : "mo";
  // Brackets and sums as large as what is beside them, also where that has an index.
  return math(tag, { text: given, stretchy: tag === "mo" && "false" });
}
