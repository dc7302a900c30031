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

/**
 * A step of AdamW for all weights, in float32 and in the order of striate's `AdamW.apply`: the same
 * bits.
 *
 * @param {Float32Array} weights - are moved.
 * @param {Float32Array} mean - the running mean of the gradient; likewise.
 * @param {Float32Array} square - that of its square; likewise.
 * @param {Float32Array} gradient
 * @param {object} now
 * @param {number} now.step - from 1.
 * @param {number} now.rate
 * @param {ArrayLike<number>} now.decays - 1 for weights that decay, else 0.
 * @param {{beta1: number, beta2: number, eps: number, weight_decay: number}} rule
 */
export function adamwStep(weights, mean, square, gradient, { step, rate, decays }, { beta1, beta2, eps, weight_decay }) {
  const f = Math.fround;
  const [keptMean, newMean, keptSquare, newSquare] = [f(beta1), f(1 - beta1), f(beta2), f(1 - beta2)];
  const move = f(rate / (1 - beta1 ** step)), root = f(Math.sqrt(1 - beta2 ** step)), least = f(eps), decay = f(rate * weight_decay);
  for (let w = 0; w < weights.length; w++) {
    const g = gradient[w];
    mean[w] = f(f(mean[w] * keptMean) + f(newMean * g));
    square[w] = f(f(square[w] * keptSquare) + f(newSquare * f(g * g)));
    const decayed = f(weights[w] * f(1 - f(decay * decays[w])));
    weights[w] = f(decayed - f(f(move * mean[w]) / f(f(f(Math.sqrt(square[w])) / root) + least)));
  }
}
