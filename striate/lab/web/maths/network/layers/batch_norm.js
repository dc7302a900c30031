// Batch normalisation (Ioffe & Szegedy, 2015): each channel to mean 0 and variance 1, then · γ + β.
//
// Training takes the mean μ and the variance σ² of the batch, over all its images and places, and
// so μ and σ² depend on every x: the gradient goes through them, too. Otherwise the running averages
// are taken, which are constants.

import { count } from "../description.js";

/** @typedef {import("./layer_pass.js").LayerPass} LayerPass */

/**
 * What is kept of a batch, by channels; sums over the batch come with the backward pass.
 *
 * @typedef {object} BatchNormNotes
 * @property {number} numbers - of each channel in the batch, m.
 * @property {Float64Array} mean - μ.
 * @property {Float64Array} variance - σ², over m.
 * @property {Float64Array} inverse - 1/√(σ² + ε).
 * @property {Float64Array} aboveSum - Σ ∂L/∂y, which is ∂L/∂β.
 * @property {Float64Array} normalSum - Σ ∂L/∂y · x̂, which is ∂L/∂γ.
 */

/** x̂ of a place of the batch. @param {LayerPass} pass @param {number} place */
export function normalised({ layer, x, notes }, place) {
  const c = place % channelsOf(layer);
  return (x[place] - notes.mean[c]) * notes.inverse[c];
}

/** @param {import("../description.js").Layer} layer */
const channelsOf = ({ shape }) => shape[shape.length - 1];

/** @type {import("./layer_pass.js").LayerKind} */
export const batchNorm = {
  beforeForward(pass) {
    const { layer, x, state, training } = pass, channels = channelsOf(layer), numbers = x.length / channels;
    const mean = new Float64Array(channels), variance = new Float64Array(channels);
    if (training) {
      for (let i = 0; i < x.length; i++) mean[i % channels] += x[i] / numbers;
      for (let i = 0; i < x.length; i++) variance[i % channels] += (x[i] - mean[i % channels]) ** 2 / numbers;
    } else {
      const { statistics } = layer;
      for (let c = 0; c < channels; c++) {
        mean[c] = state[statistics.mean.start + c];
        variance[c] = state[statistics.variance.start + c];
      }
    }
    const inverse = variance.map((one) => 1 / Math.sqrt(one + (layer.options.eps ?? 0)));
    pass.notes = { numbers, mean, variance, inverse, aboveSum: new Float64Array(channels), normalSum: new Float64Array(channels) };
  },
  forward(pass, image) {
    const { layer, y, state } = pass, { scale, shift } = layer.weights, size = count(layer.shape), channels = channelsOf(layer);
    for (let i = image * size; i < (image + 1) * size; i++)
      y[i] = state[scale.start + (i % channels)] * normalised(pass, i) + state[shift.start + (i % channels)];
  },
  beforeBackward(pass) {
    const { layer, above, gradient, notes } = pass, { scale, shift } = layer.weights, channels = channelsOf(layer);
    for (let i = 0; i < above.length; i++) {
      notes.aboveSum[i % channels] += above[i];
      notes.normalSum[i % channels] += above[i] * normalised(pass, i);
    }
    for (let c = 0; c < channels; c++) {
      gradient[scale.start + c] += notes.normalSum[c];
      gradient[shift.start + c] += notes.aboveSum[c];
    }
  },
  backward(pass, image) {
    const size = count(pass.layer.shape);
    for (let i = image * size; i < (image + 1) * size; i++) {
      const { direct, throughMean, throughVariance } = inputGradientParts(pass, i);
      pass.below[i] += direct + throughMean + throughVariance;
    }
  },
  keepStatistics({ layer: { options, statistics }, notes }, state) {
    const { numbers, mean, variance } = notes, momentum = options.momentum ?? 0, unbiased = numbers / Math.max(numbers - 1, 1);
    for (let c = 0; c < mean.length; c++) {
      const kept = (/** @type {number} */ place) => Math.fround(Math.fround(momentum) * state[place]);
      state[statistics.mean.start + c] = kept(statistics.mean.start + c) + (1 - momentum) * mean[c];
      state[statistics.variance.start + c] = kept(statistics.variance.start + c) + (1 - momentum) * variance[c] * unbiased;
    }
  },
};

/**
 * The forward sum of one place, number by number.
 *
 * @param {LayerPass} pass - forward.
 * @param {number} place - in the batch.
 */
export function batchNormTerms(pass, place) {
  const { layer, x, y, state } = pass, c = place % channelsOf(layer), { mean, variance, inverse, numbers } = pass.notes;
  return {
    x: x[place], mean: mean[c], variance: variance[c], inverse: inverse[c], numbers, normal: normalised(pass, place),
    scale: state[layer.weights.scale.start + c], shift: state[layer.weights.shift.start + c], value: y[place],
  };
}

/**
 * ∂L/∂x by the three ways in which x moves the loss: y of its own place, the mean μ, the variance σ²:
 *
 *     γ/√(σ² + ε) · (∂L/∂y − Σ ∂L/∂y / m − x̂ · Σ(∂L/∂y · x̂) / m)
 *
 * @param {LayerPass} pass - after `beforeBackward`.
 * @param {number} place - in the batch.
 */
export function inputGradientParts(pass, place) {
  const { layer, above, state, training, notes } = pass, c = place % channelsOf(layer);
  const factor = state[layer.weights.scale.start + c] * notes.inverse[c], normal = training ? normalised(pass, place) : 0;
  return {
    factor, normal, above: above[place], aboveMean: notes.aboveSum[c] / notes.numbers, normalMean: notes.normalSum[c] / notes.numbers,
    direct: factor * above[place],
    throughMean: training ? (-factor * notes.aboveSum[c]) / notes.numbers : 0,
    throughVariance: training ? (-factor * normal * notes.normalSum[c]) / notes.numbers : 0,
  };
}
