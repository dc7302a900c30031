// How a gradient moves a weight, with every number on the way: AdamW, and plain descent.

/**
 * Moves one weight by AdamW (Loshchilov & Hutter, 2019), as striate/optim/optimizers.py.
 *
 * @param {object} now
 * @param {number} now.weight
 * @param {number} now.gradient
 * @param {number} now.mean - the running mean of the gradient before the step.
 * @param {number} now.square - that of its square.
 * @param {number} now.step - from 1.
 * @param {number} now.rate
 * @param {boolean} now.decays - biases do not.
 * @param {{beta1: number, beta2: number, eps: number, weight_decay: number}} rule
 * @returns {{mean: number, square: number, unbiasedMean: number, root: number, decayed: number, weight: number}}
 */
export function adamw({ weight, gradient, mean, square, step, rate, decays }, { beta1, beta2, eps, weight_decay }) {
  const newMean = beta1 * mean + (1 - beta1) * gradient;
  const newSquare = beta2 * square + (1 - beta2) * gradient * gradient;
  const unbiasedMean = newMean / (1 - beta1 ** step), root = Math.sqrt(newSquare / (1 - beta2 ** step));
  const decayed = weight * (decays ? 1 - rate * weight_decay : 1);
  return {
    mean: newMean, square: newSquare, unbiasedMean, root, decayed, weight: decayed - (rate * unbiasedMean) / (root + eps),
  };
}

/**
 * Article 003: w ← w − α·∂L/∂w.
 *
 * @param {number} weight
 * @param {number} gradient
 * @param {number} rate
 */
export function descent(weight, gradient, rate) {
  return weight - rate * gradient;
}
