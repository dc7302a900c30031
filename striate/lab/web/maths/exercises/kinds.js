// The kinds of exercises; striate/lab/room_data/exercise_kinds.py has the options of each.

import { SeededNumbers } from "../seeded_numbers.js";
import { filterGradientExercise, inputGradientExercise, outputExercise } from "./convolution_kinds.js";
import { sizeExercise, weightsExercise } from "./count_kinds.js";
import { kernelExercise } from "./kernel_kind.js";
import { poolExercise } from "./pool_kind.js";
import { programExercise } from "./program_kind.js";
import { updateExercise } from "./update_kind.js";

/** @typedef {import("./exercise.js").Exercise} Exercise */

/** @type {Record<string, (options: any, random: SeededNumbers) => Exercise>} */
const KINDS = {
  output: outputExercise,
  "filter-gradient": filterGradientExercise,
  "input-gradient": inputGradientExercise,
  pool: poolExercise,
  update: updateExercise,
  size: sizeExercise,
  weights: weightsExercise,
  kernel: kernelExercise,
  program: programExercise,
};

/**
 * An exercise with the numbers that a seed gives.
 *
 * @param {{kind: string}} options - the exercise of a set, all options given.
 * @param {number} seed
 * @returns {Exercise}
 */
export function drawnExercise(options, seed) {
  return KINDS[options.kind](options, new SeededNumbers(seed));
}
