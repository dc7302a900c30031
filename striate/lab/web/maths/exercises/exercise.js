// What an exercise is, once its numbers are drawn: data only, which the room shows.

/** @typedef {import("../sum_terms.js").Matrix} Matrix */
/** @typedef {import("../sum_terms.js").Term} Term */
/** @typedef {import("./checked_sum.js").Slip} Slip */

/**
 * A formula as nested lists: numbers, letters and signs, places of a matrix (counted from 0), fractions.
 *
 * @typedef {string | number | {name: string, row: number, column: number} | {name: string} |
 *   {over: Expression, under: Expression} | readonly any[]} Expression
 */

/**
 * A step of the solution: a sentence by its name or as it stands, a formula, a matrix, or a program.
 *
 * @typedef {{key: string, values?: Record<string, string | number>} | {text: string} |
 *   {line: Expression} | {matrix: Given} | {code: string}} Step
 */

/**
 * A matrix that is given; `name` is its letter, `kind` its colour.
 *
 * @typedef {Matrix & {name: string, kind: string, gray?: boolean}} Given
 */

/**
 * A number that is asked for.
 *
 * @typedef {object} Asked
 * @property {string} symbol - as it is written in a line of text, "O₁₂".
 * @property {number} value - NaN where the right answer is that there is none.
 * @property {readonly Term[]} [terms] - what is added.
 * @property {readonly Slip[]} [slips]
 * @property {readonly Step[]} steps - hints, the last of which are the solution.
 */

/**
 * An exercise with its numbers.
 *
 * @typedef {object} Exercise
 * @property {string} question - the name of a sentence.
 * @property {Record<string, string | number>} values - what stands in it.
 * @property {readonly Given[]} given
 * @property {readonly Asked[]} asked - empty for kernels and programs.
 * @property {string} [name] - the letter of the matrix of which numbers are asked for.
 * @property {readonly [rows: number, columns: number] | null} [shape] - where a whole matrix is asked for.
 * @property {import("../code/python_text.js").CodeSum} [code] - the sums that are asked for, as code.
 * @property {readonly Step[]} [steps] - of kernels and programs.
 * @property {boolean} [mayFail] - "it does not fit" may be the answer.
 * @property {import("./kernel_kind.js").KernelTask} [kernel]
 * @property {import("./program_kind.js").ProgramTask} [program]
 */

const LETTERS = /** @type {Record<string, string>} */ ({
  // U+2060: no new line begins there.
  dO: "∂L/\u2060∂O", dF: "∂L/\u2060∂F", dX: "∂L/\u2060∂X", F_new: "F new ",
});

/**
 * The letter of a matrix as it is written in a line of text: "∂L/∂F" of "dF".
 *
 * @param {string} name
 * @returns {string}
 */
export function letter(name) {
  return LETTERS[name] ?? name;
}

/**
 * A place of a matrix in a line of text: "X₁₂", counted from 1 as in the article 003.
 *
 * @param {{name: string, row: number, column: number}} place
 * @returns {string}
 */
export function symbol({ name, row, column }) {
  const [i, j] = [row + 1, column + 1];
  return letter(name) + lowered(i > 9 || j > 9 ? `${i},${j}` : `${i}${j}`);
}

/**
 * Terms as a formula: with their letters, or with numbers.
 *
 * @param {readonly Term[]} terms
 * @param {"names" | "numbers" | "products"} as
 * @returns {Expression}
 */
export function sumOfTerms(terms, as) {
  const parts = terms.map(({ factors, value }) =>
    as === "products" ? guarded(value) : between(factors.map((one) => (as === "names" ? one : guarded(one.value))), "·"));
  return between(parts, "+");
}

/**
 * A negative number in parentheses, as it stands behind a sign.
 *
 * @param {number} value
 * @returns {Expression}
 */
export function guarded(value) {
  return value < 0 ? ["(", value, ")"] : value;
}

/**
 * @param {readonly Expression[]} parts
 * @param {string} sign
 * @returns {Expression}
 */
export function between(parts, sign) {
  return parts.flatMap((part, index) => (index ? [sign, part] : [part]));
}

/** @param {string} digits */
function lowered(digits) {
  return digits.replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[+digit]);
}
