// Exercises that ask for a program: an output, ∂L/∂F or ∂L/∂X, in ten lines.

import { NumberView, arrayOf } from "../language/arrays.js";
import { runProgram } from "../language/run.js";
import { SeededNumbers } from "../seeded_numbers.js";
import { filterGradientTerms, inputGradientTerms, outputShape, outputTerms, sumOf } from "../sum_terms.js";
import { drawnMatrix } from "./drawn.js";
import { symbol } from "./exercise.js";

/** @typedef {import("../sum_terms.js").Matrix} Matrix */
/** @typedef {import("../sum_terms.js").Term} Term */
/** @typedef {import("./checked_sum.js").Verdict} Verdict */

/** @typedef {{of: "output" | "filter-gradient" | "input-gradient", stride: number, seed: number}} ProgramTask */

/**
 * A case on which a program is tried: what its names stand for, and what must come out.
 *
 * @typedef {{given: Record<string, Matrix>, name: string, right: Matrix, terms: (row: number, column: number) => Term[]}} Case
 */

const TRIALS = 3;

/**
 * @param {any} options
 * @param {SeededNumbers} random
 * @returns {import("./exercise.js").Exercise}
 */
export function programExercise({ of, stride }, random) {
  const name = { output: "Output", "filter-gradient": "FilterGradient", "input-gradient": "InputGradient" }[/** @type {ProgramTask["of"]} */ (of)];
  return {
    question: `program${name}`,
    values: { stride },
    given: [],
    asked: [],
    program: { of, stride, seed: random.bits() },
    steps: [{ key: `hint${name}Program` }, { key: `hint${name}Sum` }, { code: rightProgram(of, stride) }],
  };
}

/**
 * A program that is right.
 *
 * @param {ProgramTask["of"]} of
 * @param {number} stride
 * @returns {string}
 */
export function rightProgram(of, stride) {
  const read = stride > 1 ? "X[S*y + r, S*x + s]" : "X[y + r, x + s]";
  const sum = {
    output: `O[y, x] += ${read} * F[r, s]`,
    "filter-gradient": `dF[r, s] += dO[y, x] * ${read}`,
    "input-gradient": `${read.replace("X", "dX")} += dO[y, x] * F[r, s]`,
  }[of];
  const [outputs, filter] = { output: ["O", "F"], "filter-gradient": ["dO", "dF"], "input-gradient": ["dO", "F"] }[of];
  return [
    `rows, columns = ${outputs}.shape`,
    `R, C = ${filter}.shape`,
    "for y in range(rows):",
    "    for x in range(columns):",
    "        for r in range(R):",
    "            for s in range(C):",
    `                ${sum}`,
  ].join("\n");
}

/**
 * The cases on which a program is tried; their heights and widths differ.
 *
 * @param {ProgramTask} task
 * @returns {Case[]}
 */
export function programCases({ of, stride, seed }) {
  const random = new SeededNumbers(seed);
  return Array.from({ length: TRIALS }, (_, index) => {
    /** @type {[number, number]} */
    const filterShape = index === 0 ? [2, 2] : [random.whole(2, 3), random.whole(2, 3)];
    /** @type {[number, number]} */
    const outShape = index === 0 && stride === 1 ? [2, 2] : [random.whole(2, 3), random.whole(3, 4)];
    /** @param {0 | 1} axis */
    const side = (axis) => (outShape[axis] - 1) * stride + filterShape[axis];
    /** @type {[number, number]} */
    const bounds = [-5, 5];
    const X = drawnMatrix(null, [side(0), side(1)], bounds, random);
    const F = drawnMatrix(null, filterShape, bounds, random);
    const move = { stride, padding: 0, dilation: 1, flip: false };
    const dO = drawnMatrix(null, outputShape(X, F, move), bounds, random);
    if (of === "output") return tried({ X, F }, "O", dO, (row, column) => outputTerms(X, F, move, row, column));
    if (of === "filter-gradient") return tried({ X, dO }, "dF", F, (row, column) => filterGradientTerms(X, F, dO, move, row, column));
    return tried({ F, dO }, "dX", X, (row, column) => inputGradientTerms(F, dO, move, row, column));
  });
}

/**
 * @param {Record<string, Matrix>} given
 * @param {string} name
 * @param {Matrix} shape
 * @param {Case["terms"]} terms
 * @returns {Case}
 */
function tried(given, name, { rows, columns }, terms) {
  const values = Array.from({ length: rows * columns }, (_, i) => sumOf(terms(Math.floor(i / columns), i % columns)));
  return { given, name, right: { rows, columns, values }, terms };
}

/**
 * The verdict on a program: of the first place that is wrong in the first case in which one is.
 *
 * @param {string} text
 * @param {ProgramTask} task
 * @returns {Verdict & {wrongCase?: Case, found?: Matrix}}
 * @throws {import("../language/program_error.js").ProgramError} it cannot be run.
 */
export function checkedProgram(text, task) {
  if (text.trim() === "") return { right: false, key: "empty" };
  for (const one of programCases(task)) {
    const found = runProgram(text, namesOf(one, task))[one.name];
    const { rows, columns, values } = one.right;
    if (!(found instanceof NumberView) || found.shape.join() !== `${rows},${columns}`) {
      const shape = found instanceof NumberView ? found.shape.join("×") : "1";
      return { right: false, key: "programShape", values: { name: one.name, found: shape, wanted: `${rows}×${columns}` }, wrongCase: one };
    }
    const numbers = found.numbers();
    const wrong = numbers.findIndex((value, i) => !(Math.abs(value - values[i]) <= 1e-9));
    if (wrong < 0) continue;
    const [row, column] = [Math.floor(wrong / columns), wrong % columns];
    return {
      right: false,
      key: manner(numbers, one),
      values: { name: one.name, place: symbol({ name: one.name, row, column }), found: Number(numbers[wrong].toPrecision(6)), wanted: values[wrong] },
      terms: one.terms(row, column),
      wrongCase: one,
      found: { rows, columns, values: numbers },
    };
  }
  return { right: true, key: "programRight", values: { count: TRIALS } };
}

/**
 * What the names of a program stand for at its start; its result is there, and zero.
 *
 * @param {Case} one
 * @param {ProgramTask} task
 * @returns {Record<string, NumberView | number>}
 */
function namesOf({ given, name, right }, { stride }) {
  /** @type {Record<string, NumberView | number>} */
  const names = { S: stride, [name]: arrayOf([right.rows, right.columns], right.values.map(() => 0)) };
  for (const [letter, { rows, columns, values }] of Object.entries(given)) names[letter] = arrayOf([rows, columns], values);
  return names;
}

/**
 * In which known manner a result is wrong, as the name of a sentence.
 *
 * @param {readonly number[]} numbers
 * @param {Case} wanted
 * @returns {string}
 */
function manner(numbers, { right, terms }) {
  const { values, columns } = right;
  /** @param {readonly number[]} other */
  const is = (other) => other.every((value, i) => Math.abs(value - numbers[i]) <= 1e-9);
  if (numbers.every((value) => value === 0)) return "programZero";
  if (is([...values].reverse())) return "programTurned";
  if (is(values.map((value) => -value))) return "programSign";
  const sums = values.map((_, i) => terms(Math.floor(i / columns), i % columns));
  if (is(sums.map((all) => (all.length ? all[all.length - 1].value : 0)))) return "programLast";
  return "programWrong";
}
