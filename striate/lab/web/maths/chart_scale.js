// Scales of charts.

/**
 * Round numbers along an axis.
 *
 * @typedef {object} Ticks
 * @property {number} low - the end below all values, and not above 0.
 * @property {number} high
 * @property {readonly number[]} at - the ticks.
 * @property {number} fine - a small step, in which dots are dragged.
 */

/**
 * Ticks for values, with some room above and below.
 *
 * @param {readonly number[]} values
 * @returns {Ticks}
 */
export function axisTicks(values) {
  let low = 0, high = 0;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low === high) high = 1;
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((one) => one * power >= rough * 0.999) ?? 10) * power;
  const first = Math.floor(low / step - (low < 0 ? 0.1 : 0)), last = Math.ceil(high / step + (high > 0 ? 0.1 : 0));
  const at = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  return { low: at[0], high: at[at.length - 1], at, fine: step / 20 };
}
