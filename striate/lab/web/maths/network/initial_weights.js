// The weights with which striate begins: He normal from a seed for filters and matrices, 0 and 1 for others.

import { NumpyRandom } from "../training/numpy_random.js";
import { count } from "./description.js";

/**
 * All weights and running statistics of a new network, as `Network(..., seed=seed)` has them: each
 * array of weights has a generator of its own, from the seed and its number.
 *
 * @param {import("./description.js").Description} network
 * @param {number} seed
 * @returns {Float32Array}
 */
export function initialState({ layers, size, statistics }, seed) {
  const state = new Float32Array(size + statistics);
  layers.flatMap(({ weights }) => Object.entries(weights)).forEach(([name, { start, shape }], index) => {
    if (name === "scale") state.fill(1, start, start + count(shape));
    if (shape.length < 2) return;
    // He et al., 2015: of variance 2 / inputs of each output.
    const deviation = Math.sqrt(2 / count(shape.slice(0, -1))), random = new NumpyRandom([seed, index]);
    for (let w = start; w < start + count(shape); w++) state[w] = random.normal() * deviation;
  });
  for (const { statistics: { variance } } of layers)
    if (variance) state.fill(1, variance.start, variance.start + count(variance.shape));
  return state;
}
