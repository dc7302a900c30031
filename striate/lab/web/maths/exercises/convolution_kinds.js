// Exercises on one convolution: an output, ∂L/∂F, ∂L/∂X.

import { filterGradientTerms, inputGradientTerms, outputShape, outputTerms, sumOf } from "../sum_terms.js";
import { drawnMatrix, moveOf, named, placesAsked } from "./drawn.js";
import { letter, sumOfTerms, symbol } from "./exercise.js";

/** @typedef {import("../sum_terms.js").Matrix} Matrix */
/** @typedef {import("../sum_terms.js").Move} Move */
/** @typedef {import("../sum_terms.js").Term} Term */
/** @typedef {import("../seeded_numbers.js").SeededNumbers} SeededNumbers */
/** @typedef {import("./checked_sum.js").Slip} Slip */
/** @typedef {import("./exercise.js").Exercise} Exercise */
/** @typedef {import("./exercise.js").Asked} Asked */

/**
 * An output, or all of them.
 *
 * @param {any} options - those of the exercise in its set, see docs/lab.md.
 * @param {SeededNumbers} random
 * @returns {Exercise}
 */
export function outputExercise(options, random) {
  const { input, filter, move } = drawnOperands(options, random);
  const [rows, columns] = outputShape(input, filter, move);
  const asked = placesAsked(options.ask, rows, columns, random).map(([row, column]) => {
    /** @param {Move} other @param {number} y @param {number} x */
    const otherwise = (other, y = row, x = column) => sumOf(outputTerms(input, filter, other, y, x));
    return askedSum({ name: "O", row, column }, outputTerms(input, filter, move, row, column), move.flip ? "hintFlip" : "hintOutput", [
      { key: move.flip ? "slipNoFlip" : "slipFlip", value: otherwise({ ...move, flip: !move.flip }) },
      { key: "slipStride", value: move.stride > 1 ? otherwise({ ...move, stride: 1 }) : NaN },
      { key: "slipDilation", value: move.dilation > 1 ? otherwise({ ...move, dilation: 1 }) : NaN },
      { key: "slipPadding", value: move.padding > 0 ? otherwise({ ...move, padding: 0 }) : NaN },
      ...neighbours(row, column, rows, columns).map(([y, x]) => ({
        key: "slipPlace", values: { other: symbol({ name: "O", row: y, column: x }) }, value: otherwise(move, y, x),
      })),
    ]);
  });
  const question = move.flip ? "askConvolution" : "askOutput";
  return exercise(question, move, [named(input, "X", "input"), named(filter, "F", "filter")], "O", asked, options.ask, [rows, columns], {}, { kind: "output", X: input, F: filter, move });
}

/**
 * A number of ∂L/∂F, or all of them.
 *
 * @param {any} options
 * @param {SeededNumbers} random
 * @returns {Exercise}
 */
export function filterGradientExercise(options, random) {
  const { input, filter, move, above } = drawnOperands(options, random);
  const { rows, columns } = filter;
  /** @param {number} row @param {number} column */
  const terms = (row, column) => filterGradientTerms(input, filter, above, move, row, column);
  const asked = placesAsked(options.ask, rows, columns, random).map(([row, column]) =>
    askedSum({ name: "dF", row, column }, terms(row, column), "hintFilterGradient", [
      { key: "slipTurned", value: sumOf(terms(rows - 1 - row, columns - 1 - column)) },
      ...neighbours(row, column, rows, columns).map(([r, s]) => ({
        key: "slipPlace", values: { other: symbol({ name: "dF", row: r, column: s }) }, value: sumOf(terms(r, s)),
      })),
    ]));
  const given = [named(input, "X", "input"), named(above, "dO", "output")];
  return exercise("askFilterGradient", move, given, "dF", asked, options.ask, [rows, columns], { filterRows: rows, filterColumns: columns },
    { kind: "filterGradient", X: input, dO: above, rows, columns, move });
}

/**
 * A number of ∂L/∂X, or all of them.
 *
 * @param {any} options
 * @param {SeededNumbers} random
 * @returns {Exercise}
 */
export function inputGradientExercise(options, random) {
  const { input, filter, move, above } = drawnOperands(options, random);
  const { rows, columns } = input;
  /** @param {number} row @param {number} column */
  const terms = (row, column, other = move) => inputGradientTerms(filter, above, other, row, column);
  const asked = placesAsked(options.ask, rows, columns, random).map(([row, column]) =>
    askedSum({ name: "dX", row, column }, terms(row, column), "hintInputGradient", [
      { key: "slipTurnedFilter", value: sumOf(terms(row, column, { ...move, flip: !move.flip })) },
      ...neighbours(row, column, rows, columns).map(([i, j]) => ({
        key: "slipPlace", values: { other: symbol({ name: "dX", row: i, column: j }) }, value: sumOf(terms(i, j)),
      })),
    ]));
  const given = [named(filter, "F", "filter"), named(above, "dO", "output")];
  return exercise("askInputGradient", move, given, "dX", asked, options.ask, [rows, columns], { rows, columns },
    { kind: "inputGradient", F: filter, dO: above, rows, columns, move });
}

/**
 * X, F and ∂L/∂O; all are drawn for each kind, so that the same seed gives the same numbers.
 *
 * @param {any} options
 * @param {SeededNumbers} random
 * @returns {{input: Matrix, filter: Matrix, above: Matrix, move: Move}}
 */
function drawnOperands(options, random) {
  const move = moveOf(options);
  const input = drawnMatrix(options.X, options.input, options.numbers, random);
  const filter = drawnMatrix(options.F, options.filter, options.numbers, random);
  const above = drawnMatrix(options.dO, outputShape(input, filter, move), options.numbers, random);
  return { input, filter, above, move };
}

/**
 * A sum that is asked for, with its steps.
 *
 * @param {{name: string, row: number, column: number}} place
 * @param {readonly Term[]} terms
 * @param {string} hint
 * @param {readonly Slip[]} slips - those that are no numbers, or right, are left out.
 * @returns {Asked}
 */
function askedSum(place, terms, hint, slips) {
  const value = sumOf(terms);
  const name = symbol(place);
  if (terms.length === 0) return { symbol: name, value, terms, steps: [{ key: hint, values: { name } }, { key: "noTerms" }, { line: [place, "=", 0] }] };
  return {
    symbol: name,
    value,
    terms,
    slips: slips.filter((slip) => Number.isFinite(slip.value) && slip.value !== value),
    steps: [
      { key: hint, values: { name, count: terms.length } },
      { line: [place, "=", sumOfTerms(terms, "names")] },
      { line: ["=", sumOfTerms(terms, "numbers")] },
      { line: ["=", ...(terms.length > 1 ? [sumOfTerms(terms, "products"), "="] : []), value] },
    ],
  };
}

/**
 * @param {string} question
 * @param {Move} move
 * @param {Exercise["given"]} given
 * @param {string} name
 * @param {Asked[]} asked
 * @param {"one" | "all"} ask
 * @param {[number, number]} shape
 * @param {Record<string, number>} more
 * @param {Exercise["code"]} code
 * @returns {Exercise}
 */
function exercise(question, move, given, name, asked, ask, shape, more, code) {
  const values = { name: ask === "all" ? letter(name) : asked[0].symbol, ...more, stride: move.stride, padding: move.padding, dilation: move.dilation, n: move.padding, flip: Number(move.flip) };
  return { question, values, given, asked, name, code, shape: ask === "all" ? shape : null };
}

/**
 * The places beside one, which are easily taken for it; last the one across the diagonal.
 *
 * @param {number} row
 * @param {number} column
 * @param {number} rows
 * @param {number} columns
 * @returns {[number, number][]}
 */
function neighbours(row, column, rows, columns) {
  /** @type {[number, number][]} */
  const around = [[row, column - 1], [row, column + 1], [row - 1, column], [row + 1, column], [column, row]];
  return around.filter(([y, x]) => y >= 0 && y < rows && x >= 0 && x < columns && (y !== row || x !== column));
}
