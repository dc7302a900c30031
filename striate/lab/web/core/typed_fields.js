// Fields of a room's state that hold numbers as they are typed, with fractions.

import { readList, readMatrix, typed, typedMatrix } from "../maths/typed_numbers.js";

/** @typedef {import("../maths/typed_numbers.js").Matrix} Matrix */

/**
 * A list of 1 to `most` numbers.
 *
 * @param {readonly number[]} initial
 * @param {number} most
 * @returns {import("./fields.js").Field<readonly number[]>}
 */
export function typedList(initial, most) {
  return {
    initial,
    read(text) {
      const found = readList(text);
      return found && found.length <= most ? found : null;
    },
    write: (list) => list.map(typed).join(" "),
  };
}

/**
 * A matrix of up to `most` rows and columns.
 *
 * @param {Matrix} initial
 * @param {number} most
 * @returns {import("./fields.js").Field<Matrix>}
 */
export function matrixField(initial, most) {
  return {
    initial,
    read(text) {
      const found = readMatrix(text);
      return found && Math.max(found.rows, found.columns) <= most ? found : null;
    },
    write: typedMatrix,
  };
}
