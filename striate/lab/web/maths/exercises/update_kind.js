// Exercises on gradient descent: F - α·∂L/∂F.

import { at } from "../sum_terms.js";
import { drawnMatrix, named, placesAsked } from "./drawn.js";
import { guarded, symbol } from "./exercise.js";

/**
 * A number after a step of gradient descent, free of the rounding errors of decimal fractions.
 *
 * @param {number} weight
 * @param {number} rate
 * @param {number} gradient
 * @returns {number}
 */
function updated(weight, rate, gradient) {
  return Number((weight - rate * gradient).toPrecision(12));
}

/**
 * One number of the filter after a step, or all of them.
 *
 * @param {any} options
 * @param {import("../seeded_numbers.js").SeededNumbers} random
 * @returns {import("./exercise.js").Exercise}
 */
export function updateExercise(options, random) {
  const filter = drawnMatrix(options.F, options.filter, options.numbers, random);
  const gradient = drawnMatrix(options.dF, [filter.rows, filter.columns], options.numbers, random);
  const rate = random.oneOf(/** @type {number[]} */ (options.rates));
  const asked = placesAsked(options.ask, filter.rows, filter.columns, random).map(([row, column]) => {
    const [weight, slope] = [at("F", filter, row, column), at("dF", gradient, row, column)];
    const value = updated(weight.value, rate, slope.value);
    const place = { name: "F_new", row, column };
    const slips = [
      { key: "slipUphill", value: updated(weight.value, -rate, slope.value) },
      { key: "slipNoRate", value: weight.value - slope.value },
      { key: "slipStepOnly", value: updated(0, -rate, slope.value) },
      { key: "slipStepOnly", value: updated(0, rate, slope.value) },
    ];
    return {
      symbol: symbol(place),
      value,
      slips: slips.filter((slip) => slip.value !== value),
      steps: [
        { key: "hintUpdate" },
        { line: [place, "=", weight, "−", "α", "·", slope] },
        { line: ["=", weight.value, "−", rate, "·", guarded(slope.value)] },
        { line: ["=", value] },
      ],
    };
  });
  return {
    question: options.ask === "all" ? "askUpdateAll" : "askUpdate",
    values: { name: asked[0].symbol, rate },
    given: [named(filter, "F", "filter"), named(gradient, "dF", "filter")],
    asked,
    name: "F_new",
    shape: options.ask === "all" ? [filter.rows, filter.columns] : null,
  };
}
