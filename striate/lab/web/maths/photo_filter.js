// Photographs convolved with kernels, as `striate.filter_image` does it.

import { lowRank } from "./low_rank.js";

/** @typedef {import("./pixels.js").Picture} Picture */

/** What lies beyond the edge: the picture mirrored, black, or its other side.
 * @typedef {"reflect" | "fill" | "wrap"} Border */

/**
 * Kernels of one size, and how their answers become one: of a single one its own, else the square
 * root of the sum of squares, or the largest.
 *
 * @typedef {object} Kernel
 * @property {number} rows
 * @property {number} columns
 * @property {readonly (readonly number[])[]} arrays - each row by row.
 * @property {"one" | "magnitude" | "maximum"} combine
 */

/**
 * Which element of an axis stands at a place, which may lie beyond its ends; -1 for black.
 *
 * @param {Border} border
 * @param {number} length
 * @param {number} at
 * @returns {number}
 */
function borderIndex(border, length, at) {
  if (at >= 0 && at < length) return at;
  if (border === "fill") return -1;
  const period = border === "wrap" ? length : 2 * length;
  const within = ((at % period) + period) % period;
  return Math.min(within, 2 * length - 1 - within);
}

/**
 * The picture with a border around it, as numbers that are read fast.
 *
 * @param {Picture} picture
 * @param {number} rows - of the kernel: row r of the picture is row r + rows // 2.
 * @param {number} columns
 * @param {Border} border
 * @returns {Float32Array}
 */
function padded({ height, width, channels, pixels }, rows, columns, border) {
  const wide = (width + columns - 1) * channels;
  const made = new Float32Array((height + rows - 1) * wide);
  const from = Array.from({ length: width + columns - 1 }, (_, x) => borderIndex(border, width, x - (columns >> 1)));
  for (let y = 0; y < height + rows - 1; y++) {
    const row = borderIndex(border, height, y - (rows >> 1));
    if (row < 0) continue;
    const to = y * wide + (columns >> 1) * channels, start = row * width * channels;
    made.set(pixels.subarray(start, start + width * channels), to);
    for (let x = 0; x < from.length; x++) {
      if (x === columns >> 1) x += width; // the picture itself is there
      if (x >= from.length || from[x] < 0) continue;
      for (let c = 0; c < channels; c++) made[y * wide + x * channels + c] = pixels[start + from[x] * channels + c];
    }
  }
  return made;
}

/**
 * The sums before they are rounded: the kernel is turned by 180° and laid with its centre, element
 * (n - 1) // 2 of each axis, on every pixel of each channel.
 *
 * @param {Picture} picture
 * @param {Kernel} kernel
 * @param {Border} border
 * @returns {Float32Array}
 */
export function responses(picture, kernel, border) {
  const { rows, columns, arrays, combine } = kernel;
  const source = padded(picture, rows, columns, border);
  const first = convolvedRows(picture, source, rows, columns, arrays[0]);
  if (combine === "one") return first;
  if (combine === "magnitude") for (let i = 0; i < first.length; i++) first[i] *= first[i];
  for (const array of arrays.slice(1)) {
    const next = convolvedRows(picture, source, rows, columns, array);
    if (combine === "maximum") for (let i = 0; i < first.length; i++) first[i] = Math.max(first[i], next[i]);
    else for (let i = 0; i < first.length; i++) first[i] += next[i] * next[i];
  }
  if (combine === "magnitude") for (let i = 0; i < first.length; i++) first[i] = Math.sqrt(first[i]);
  return first;
}

/**
 * @param {Picture} picture
 * @param {Float32Array} source - padded.
 * @param {number} rows
 * @param {number} columns
 * @param {readonly number[]} weights
 * @returns {Float32Array}
 */
function convolvedRows({ height, width, channels }, source, rows, columns, weights) {
  const wide = (width + columns - 1) * channels, count = width * channels;
  const turned = [...weights].reverse();
  const sums = new Float32Array(height * count);
  const pairs = lowRank(turned, rows, columns);
  if (pairs.length * (rows + columns) >= turned.filter((weight) => weight !== 0).length) {
    const taps = turned.map((weight, at) =>
      ({ weight, offset: Math.floor(at / columns) * wide + (at % columns) * channels }));
    addProducts(sums, source, taps, height, count, wide);
    return sums;
  }
  for (const { column, row } of pairs) {
    // First along the rows, then down the columns of what that gives.
    const across = new Float32Array((height + rows - 1) * count);
    const along = row.map((weight, j) => ({ weight, offset: j * channels }));
    addProducts(across, source, along, height + rows - 1, count, wide);
    addProducts(sums, across, column.map((weight, i) => ({ weight, offset: i * count })), height, count, count);
  }
  return sums;
}

/**
 * Adds weight times source, moved by an offset, to each sum. Weights of 0 cost nothing; the others are
 * taken four at a time, so that a sum is read and written a quarter as often.
 *
 * @param {Float32Array} sums - `height` rows of `count`.
 * @param {Float32Array} source - rows of `wide`.
 * @param {{offset: number, weight: number}[]} given
 * @param {number} height
 * @param {number} count
 * @param {number} wide
 */
function addProducts(sums, source, given, height, count, wide) {
  const taps = given.filter(({ weight }) => weight !== 0);
  while (taps.length % 4) taps.push({ offset: 0, weight: 0 });
  for (let y = 0; y < height; y++) {
    const to = y * count, base = y * wide;
    for (let t = 0; t < taps.length; t += 4) {
      const a = base + taps[t].offset, b = base + taps[t + 1].offset;
      const c = base + taps[t + 2].offset, d = base + taps[t + 3].offset;
      const u = taps[t].weight, v = taps[t + 1].weight, w = taps[t + 2].weight, z = taps[t + 3].weight;
      for (let x = 0; x < count; x++)
        sums[to + x] += u * source[a + x] + v * source[b + x] + w * source[c + x] + z * source[d + x];
    }
  }
}

/**
 * A sum as a pixel: rounded to the nearest whole number, halves to even ones, and clipped to 0…255.
 * What float32 made of a half counts as that half.
 *
 * @param {number} sum
 * @returns {number}
 */
export function pixelOf(sum) {
  const value = Math.round(sum * 256) / 256;
  const floor = Math.floor(value);
  const nearest = value - floor === 0.5 ? floor + Math.abs(floor % 2) : Math.round(value);
  return Math.min(Math.max(nearest, 0), 255);
}

/**
 * Sums as pixels, and how many had to be clipped.
 *
 * @param {Float32Array} sums
 * @param {number} offset - added to each.
 * @returns {{pixels: Uint8Array, below: number, above: number}}
 */
export function clipped(sums, offset) {
  const pixels = new Uint8ClampedArray(sums.length); // which rounds and clips as `pixelOf` does
  let below = 0, above = 0;
  for (let i = 0; i < sums.length; i++) {
    const value = Math.round((sums[i] + offset) * 256) / 256;
    pixels[i] = value;
    if (value < -0.5) below++;
    else if (value >= 255.5) above++;
  }
  return { pixels: new Uint8Array(pixels.buffer), below, above };
}

/**
 * A picture moved down and to the right; what leaves it comes in at the other side.
 *
 * @param {Picture} picture
 * @param {number} down
 * @param {number} across
 * @returns {Picture}
 */
export function shifted(picture, down, across) {
  const { height, width, channels, pixels } = picture;
  const moved = new Uint8Array(pixels.length);
  const turn = (((across % width) + width) % width) * channels;
  for (let y = 0; y < height; y++) {
    const from = borderIndex("wrap", height, y - down) * width * channels, to = y * width * channels;
    moved.set(pixels.subarray(from, from + width * channels - turn), to + turn);
    moved.set(pixels.subarray(from + width * channels - turn, from + width * channels), to);
  }
  return { ...picture, pixels: moved };
}

/**
 * The pixels under a kernel that is laid on a place, row by row, of one channel.
 *
 * @param {Picture} picture
 * @param {number} row
 * @param {number} column
 * @param {number} channel
 * @param {{rows: number, columns: number}} kernel
 * @param {Border} border
 * @returns {number[]}
 */
export function patchAt({ height, width, channels, pixels }, row, column, channel, { rows, columns }, border) {
  const patch = [];
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const r = borderIndex(border, height, row + i - (rows >> 1));
      const c = borderIndex(border, width, column + j - (columns >> 1));
      patch.push(r < 0 || c < 0 ? 0 : pixels[(r * width + c) * channels + channel]);
    }
  return patch;
}

/**
 * Where two pictures differ: of the pixels whose window touches neither an edge nor the seam of a
 * shift, and of all others.
 *
 * @param {Picture} one
 * @param {Picture} other
 * @param {{rows: number, columns: number}} kernel
 * @param {number} down - the shift, whose seam is there.
 * @param {number} across
 * @returns {{inside: number, compared: number, beside: number}} how many differ inside, of how many,
 *   and how many differ elsewhere.
 */
export function differences(one, other, { rows, columns }, down, across) {
  const { height, width, channels } = one;
  const near = (/** @type {number} */ length, /** @type {number} */ taps, /** @type {number} */ shift) => {
    const seam = ((shift % length) + length) % length;
    const before = taps >> 1, after = taps - 1 - before;
    const crosses = (/** @type {number} */ at, /** @type {number} */ edge) => at - before < edge && at + after >= edge;
    return Array.from({ length }, (_, at) => crosses(at, 0) || crosses(at, length) || (seam !== 0 && crosses(at, seam)));
  };
  const nearRow = near(height, rows, down), nearColumn = near(width, columns, across);
  let inside = 0, compared = 0, beside = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const isNear = nearRow[y] || nearColumn[x];
      let differs = false;
      for (let c = 0; c < channels; c++) {
        const at = (y * width + x) * channels + c;
        differs ||= one.pixels[at] !== other.pixels[at];
      }
      if (!isNear) compared++;
      if (differs && isNear) beside++;
      else if (differs) inside++;
    }
  return { inside, compared, beside };
}
