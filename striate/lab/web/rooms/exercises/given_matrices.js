// What an exercise gives: matrices with their letters.

import { html, math } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { letter } from "../../maths/exercises/exercise.js";
import { numberGrid } from "../../parts/number_grid.js";
import { writtenLetter } from "./written_expression.js";

/** @typedef {import("../../maths/exercises/exercise.js").Given} Given */
/** @typedef {import("../../parts/number_grid.js").Frame} Frame */

/** The most of a colour, in percent, on which numbers can still be read. */
const MOST_COLOUR = 40;

/**
 * A matrix with its letter above it.
 *
 * @param {Given} given
 * @param {readonly Frame[]} [frames]
 * @param {(value: number) => string} [fill]
 * @returns {HTMLElement}
 */
export function givenMatrix(given, frames = [], fill) {
  const { name, kind, rows, columns, values, gray } = given;
  const label = say("exercises.matrix", {
    name: letter(name), rows, columns, numbers: rowsOf(given).map((row) => row.map((one) => written(one)).join(" ")).join("; "),
  });
  const grid = numberGrid({ label, rows, columns, kind, cell: gray || columns > 8 ? 32 : 38 });
  const shades = fill ?? (gray ? (/** @type {number} */ value) => shade(kind, value / 9) : undefined);
  grid.show({ values, frames, fill: shades && ((index) => shades(values[index])) });
  return html("figure", { class: "given" },
    html("figcaption", {}, math("math", {}, writtenLetter(name))), html("div", { class: "scrolls" }, grid.element));
}

/**
 * A colour behind a number.
 *
 * @param {string} kind
 * @param {number} share - from 0 to 1.
 * @returns {string}
 */
export function shade(kind, share) {
  return `color-mix(in srgb, var(--${kind}) ${Math.round(MOST_COLOUR * Math.min(share, 1))}%, var(--card))`;
}

/**
 * @param {import("../../maths/sum_terms.js").Matrix} matrix
 * @returns {(readonly number[])[]}
 */
function rowsOf({ rows, columns, values }) {
  return Array.from({ length: rows }, (_, r) => values.slice(r * columns, (r + 1) * columns));
}
