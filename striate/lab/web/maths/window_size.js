// The size rule of a window, as `striate.size` has it: O = (I - R + P_before + P_after)/S + 1.

/**
 * One axis.
 *
 * @typedef {object} WindowSizes
 * @property {number} input - pixels, I.
 * @property {number} filter - taps, F.
 * @property {number} stride - S.
 * @property {number} before - pixels of padding at the beginning.
 * @property {number} after - and at the end.
 * @property {number} dilation - the distance of the taps.
 */

/**
 * What the rule says.
 *
 * @typedef {object} Rule
 * @property {number} reach - R, the pixels that the window spans.
 * @property {number} room - I - R + P_before + P_after, the pixels that it can move; negative where it is
 *   larger than the padded input.
 * @property {number} value - room / S + 1, whole or not.
 * @property {number | null} output - the positions, where every pixel is read; else null.
 * @property {number} positions - where the window fits, whatever remains at the end.
 * @property {number} rest - pixels at the end of the padded input that no window reads.
 */

/** How far from a given value the nearest one that fits is looked for. */
const FARTHEST = 10_000;

/**
 * The pixels that a window of so many taps spans.
 *
 * @param {number} filter
 * @param {number} dilation
 * @returns {number}
 */
export function extent(filter, dilation) {
  return dilation * (filter - 1) + 1;
}

/**
 * @param {WindowSizes} sizes
 * @returns {Rule}
 */
export function sizeRule({ input, filter, stride, before, after, dilation }) {
  const reach = extent(filter, dilation);
  const room = input - reach + before + after;
  const positions = room < 0 ? 0 : Math.floor(room / stride) + 1;
  const rest = room < 0 ? 0 : room % stride;
  return { reach, room, value: room / stride + 1, positions, rest, output: room >= 0 && rest === 0 ? positions : null };
}

/** What can be changed alone. */
export const QUANTITIES = /** @type {const} */ (["input", "filter", "stride", "padding", "dilation"]);

/**
 * For each quantity the nearest values, below and above, with which alone changed every pixel would be
 * read; of padding pairs (before, after), an odd total with its extra pixel after.
 *
 * @param {WindowSizes} sizes
 * @returns {Record<typeof QUANTITIES[number], (number | [number, number])[]>}
 */
export function cures(sizes) {
  /** @type {any} */
  const found = {};
  for (const name of QUANTITIES) {
    const now = name === "padding" ? sizes.before + sizes.after : sizes[name];
    found[name] = [];
    for (const way of [-1, 1])
      for (let steps = 1; steps < FARTHEST; steps++) {
        const value = now + way * steps;
        if (value < (name === "padding" ? 0 : 1)) break;
        const sides = /** @type {[number, number]} */ ([Math.floor(value / 2), Math.ceil(value / 2)]);
        const changed = name === "padding" ? { ...sizes, before: sides[0], after: sides[1] } : { ...sizes, [name]: value };
        if (sizeRule(changed).output === null) continue;
        found[name].push(name === "padding" ? sides : value);
        break;
      }
  }
  return found;
}

/**
 * How many windows read each pixel of the input; those of padding are left out.
 *
 * @param {WindowSizes} sizes
 * @returns {number[]}
 */
export function readings({ input, filter, stride, before, after, dilation }) {
  const counts = Array(input).fill(0);
  const { positions } = sizeRule({ input, filter, stride, before, after, dilation });
  for (let window = 0; window < positions; window++)
    for (let tap = 0; tap < filter; tap++) {
      const pixel = window * stride + tap * dilation - before;
      if (pixel >= 0 && pixel < input) counts[pixel]++;
    }
  return counts;
}

/**
 * What a layer of such windows costs.
 *
 * @param {number} filterHeight
 * @param {number} filterWidth
 * @param {number} channels - of the input.
 * @param {number} filters - how many there are; the depth of the output.
 * @param {number} places - positions of the window, over both axes.
 * @returns {{weights: number, biases: number, outputs: number, products: number}}
 */
export function layerCosts(filterHeight, filterWidth, channels, filters, places) {
  const one = filterHeight * filterWidth * channels;
  return { weights: one * filters, biases: filters, outputs: places * filters, products: one * places * filters };
}

/**
 * What the rule gives, as striate writes it: 4.5, 6, or 3.333… where that is rounded.
 *
 * @param {WindowSizes} sizes
 * @returns {string}
 */
export function ruleValue(sizes) {
  const { room, value } = sizeRule(sizes), size = Math.abs(value);
  const shown = String(Number(size < 1000 ? value.toPrecision(4) : value.toFixed(1)));
  return Math.round(Number(shown) * sizes.stride * 1e6) === (room + sizes.stride) * 1e6 ? shown : `${shown}…`;
}
