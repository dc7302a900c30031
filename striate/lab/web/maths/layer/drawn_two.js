// A "2" drawn by strokes, whose upper left stroke can be made level; and the edges in it.

/** @typedef {import("../typed_numbers.js").Matrix} Matrix */

export const SIDE = 28;
const THICK = 1.7; // half the width of a stroke, in pixels

/** Points from the upper left hook over the arc and the diagonal to the foot. */
const REST = [[17, 6], [19.5, 7.4], [20.5, 10], [19.5, 13], [16.5, 16], [12.5, 19], [9, 22], [14, 22], [20.5, 22]];

/**
 * The digit, bright on dark: 0 to 255, with soft edges.
 *
 * @param {number} level - 0: the upper left stroke rises steeply; 1: it is level.
 * @param {number} down - pixels by which all of it is moved.
 * @param {number} across
 * @returns {Matrix}
 */
export function drawnTwo(level, down, across) {
  const points = [[7.5, 10.5 - 4.5 * level], [11.5, 7 - level], ...REST];
  const values = Array.from({ length: SIDE * SIDE }, (_, index) => {
    const x = (index % SIDE) - across, y = Math.floor(index / SIDE) - down;
    let nearest = Infinity;
    for (let at = 1; at < points.length; at++)
      nearest = Math.min(nearest, fromStroke(x, y, points[at - 1], points[at]));
    return Math.round(255 * Math.min(Math.max(THICK + 0.5 - nearest, 0), 1));
  });
  return { rows: SIDE, columns: SIDE, values };
}

/** The distance of a point from a line between two. @param {number} x @param {number} y @param {number[]} from @param {number[]} to */
function fromStroke(x, y, [x0, y0], [x1, y1]) {
  const dx = x1 - x0, dy = y1 - y0;
  const along = Math.min(Math.max(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0), 1);
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
}

const SOBEL = [-1, -2, -1, 0, 0, 0, 1, 2, 1];

/**
 * Sobel's answer to level edges where it grows brighter downwards, and 0 elsewhere (ReLU); as a layer
 * computes it, without a flip, with zeros around the picture.
 *
 * @param {Matrix} picture
 * @returns {Matrix} of the same size.
 */
export function levelEdges({ rows, columns, values }) {
  const found = values.map((_, index) => {
    const row = Math.floor(index / columns), column = index % columns;
    let sum = 0;
    for (let tap = 0; tap < 9; tap++) {
      const r = row + Math.floor(tap / 3) - 1, c = column + (tap % 3) - 1;
      if (r >= 0 && c >= 0 && r < rows && c < columns) sum += SOBEL[tap] * values[r * columns + c];
    }
    return Math.max(sum, 0);
  });
  return { rows, columns, values: found };
}

/**
 * The places of strong answers in both maps: those of at least half of the strongest in the first.
 *
 * @param {readonly number[]} before
 * @param {readonly number[]} after
 * @returns {{strong: number[], kept: number[]}} places in `before`, and those that are strong in `after` too.
 */
export function strongPlaces(before, after) {
  const least = Math.max(...before) / 2;
  const strong = before.flatMap((value, place) => (value >= least && value > 0 ? [place] : []));
  return { strong, kept: strong.filter((place) => after[place] >= least) };
}
