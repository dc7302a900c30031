// Exercises on pooling: the largest, the mean or the sum of each window.

import { pooledNumber } from "../layer/pooling.js";
import { at, outputShape, product } from "../sum_terms.js";
import { drawnMatrix, named, placesAsked } from "./drawn.js";
import { between, guarded, letter, symbol } from "./exercise.js";

/**
 * The numbers of a window.
 *
 * @param {import("../sum_terms.js").Matrix} input
 * @param {readonly [rows: number, columns: number]} window
 * @param {number} stride
 * @param {number} row - of the output.
 * @param {number} column
 * @returns {import("../sum_terms.js").Factor[]}
 */
function windowOf(input, [rows, columns], stride, row, column) {
  return Array.from({ length: rows * columns }, (_, i) =>
    at("X", input, row * stride + Math.floor(i / columns), column * stride + (i % columns)));
}

/**
 * An output of pooling, or all of them.
 *
 * @param {any} options
 * @param {import("../seeded_numbers.js").SeededNumbers} random
 * @returns {import("./exercise.js").Exercise}
 */
export function poolExercise(options, random) {
  const { window, stride, how, ask } = options;
  const input = drawnMatrix(options.X, options.input, options.numbers, random);
  const [rows, columns] = outputShape(input, { rows: window[0], columns: window[1], values: [] }, { stride, padding: 0, dilation: 1, flip: false });
  const asked = placesAsked(ask, rows, columns, random).map(([row, column]) => {
    const places = windowOf(input, window, stride, row, column);
    const numbers = places.map((one) => one.value);
    const value = pooledNumber(numbers, how);
    const slips = [
      { key: "slipLargest", value: pooledNumber(numbers, "max") },
      { key: "slipMean", value: pooledNumber(numbers, "average") },
      { key: "slipSum", value: pooledNumber(numbers, "sum") },
      { key: "slipLargestSize", value: numbers.reduce((best, one) => (Math.abs(one) > Math.abs(best) ? one : best)) },
    ];
    const place = { name: "O", row, column };
    return {
      symbol: symbol(place),
      value,
      terms: how === "sum" ? places.map((one) => product(one)) : [],
      slips: slips.filter((slip) => slip.value !== value),
      steps: [
        { key: "hintPool", values: { top: row * stride + 1, bottom: row * stride + window[0], left: column * stride + 1, right: column * stride + window[1] } },
        { line: [place, "=", taken(places, how)] },
        { line: ["=", taken(numbers.map((one) => (how === "max" ? one : guarded(one))), how)] },
        { line: ["=", value] },
      ],
    };
  });
  return {
    question: { max: "askMax", average: "askAverage", sum: "askSum" }[/** @type {"max" | "average" | "sum"} */ (how)],
    values: { name: ask === "all" ? letter("O") : asked[0].symbol, rows: window[0], columns: window[1], stride },
    given: [named(input, "X", "input")],
    asked,
    name: "O",
    code: { kind: "pool", X: input, window, stride, how },
    shape: ask === "all" ? [rows, columns] : null,
  };
}

/**
 * @param {readonly import("./exercise.js").Expression[]} parts
 * @param {string} how
 * @returns {import("./exercise.js").Expression}
 */
function taken(parts, how) {
  if (how === "max") return ["max", "(", between(parts, ","), ")"];
  return how === "sum" ? between(parts, "+") : { over: between(parts, "+"), under: parts.length };
}
