// From logits to probabilities.

/** @param {ArrayLike<number>} logits @returns {Float64Array} */
export function softmax(logits) {
  const all = Float64Array.from(logits), most = all.reduce((high, z) => Math.max(high, z), -Infinity);
  const powers = all.map((z) => Math.exp(z - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
