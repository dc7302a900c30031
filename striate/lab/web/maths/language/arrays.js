// Arrays of a program: numbers with a shape, of which slices are views, as in NumPy.

/** An array, or a part of one: changing the part changes the whole. */
export class NumberView {
  /**
   * @param {number[]} data
   * @param {readonly number[]} shape
   * @param {number} [offset]
   * @param {readonly number[]} [steps] - from one place of an axis to the next.
   */
  constructor(data, shape, offset = 0, steps = stepsOf(shape)) {
    this.data = data;
    this.shape = shape;
    this.offset = offset;
    this.steps = steps;
  }

  get size() {
    return this.shape.reduce((size, extent) => size * extent, 1);
  }

  /** Where each number lies in the data, the last axis fastest. @returns {number[]} */
  places() {
    let places = [this.offset];
    this.shape.forEach((extent, axis) => {
      places = places.flatMap((start) => Array.from({ length: extent }, (_, i) => start + i * this.steps[axis]));
    });
    return places;
  }

  /** @returns {number[]} */
  numbers() {
    return this.places().map((place) => this.data[place]);
  }
}

/**
 * A new array.
 *
 * @param {readonly number[]} shape
 * @param {readonly number[]} numbers
 * @returns {NumberView}
 */
export function arrayOf(shape, numbers) {
  return new NumberView([...numbers], shape);
}

/**
 * A function of each number, or of the numbers of two arrays at the same places; a single number stands
 * for each.
 *
 * @param {NumberView} one
 * @param {NumberView | number} other
 * @param {(a: number, b: number) => number} compute
 * @returns {NumberView}
 */
export function combined(one, other, compute) {
  const numbers = typeof other === "number" ? null : other.numbers();
  return arrayOf(one.shape, one.numbers().map((value, i) => compute(value, numbers ? numbers[i] : Number(other))));
}

/**
 * The places of an axis that a slice takes, as Python counts them.
 *
 * @param {number} extent
 * @param {number | null} from
 * @param {number | null} to
 * @param {number} by - not 0.
 * @returns {{start: number, count: number}}
 */
export function sliced(extent, from, to, by) {
  const [low, high] = by > 0 ? [0, extent] : [-1, extent - 1];
  /** @param {number | null} at @param {number} open */
  const bound = (at, open) => (at === null ? open : Math.min(Math.max(at < 0 ? at + extent : at, low), high));
  const start = bound(from, by > 0 ? low : high);
  const end = bound(to, by > 0 ? high : low);
  return { start, count: Math.max(Math.ceil((end - start) / by), 0) };
}

/** @param {readonly number[]} shape */
function stepsOf(shape) {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((size, extent) => size * extent, 1));
}
