// Formulas of exercises in MathML.

import { coloured, formula, fraction, indexed, row } from "../../parts/formula.js";
import { written } from "../../core/texts.js";

/** @typedef {import("../../maths/exercises/exercise.js").Expression} Expression */
/** @typedef {import("../../parts/formula.js").Term} Term */

/** Which colour a letter has. */
const KINDS = /** @type {Record<string, string>} */ ({
  X: "input", dX: "input", F: "filter", dF: "filter", F_new: "filter", O: "output", dO: "output",
});

/**
 * A formula that stands by itself.
 *
 * @param {Expression} expression
 * @returns {HTMLElement}
 */
export function writtenFormula(expression) {
  return formula(term(expression));
}

/**
 * The letter of a matrix, ∂L/∂F for "dF".
 *
 * @param {string} name
 * @returns {Element}
 */
export function writtenLetter(name) {
  return coloured(KINDS[name] ?? "", letter(name));
}

/** @param {string} name @returns {Element} */
function letter(name) {
  if (name.startsWith("d")) return fraction(row("∂", "L"), row("∂", name.slice(1)));
  return name === "F_new" ? indexed("F", "new") : row(name);
}

/**
 * @param {Expression} given
 * @returns {Term}
 */
function term(given) {
  if (typeof given === "number") return written(given, 4);
  if (typeof given === "string") return given;
  if (Array.isArray(given)) return row(...given.map(term));
  if (typeof given !== "object" || "length" in given) return "";
  if ("over" in given) return fraction(term(given.over), term(given.under));
  const { name } = given;
  if (!("row" in given)) return writtenLetter(name);
  const [i, j] = [given.row + 1, given.column + 1];
  const below = i > 9 || j > 9 ? `${i},${j}` : `${i}${j}`;
  if (name.startsWith("d")) return coloured(KINDS[name], fraction(row("∂", "L"), row("∂", indexed(name.slice(1), below))));
  return coloured(KINDS[name] ?? "", name === "F_new" ? indexed("F", row("new", ",", below)) : indexed(name, below));
}
