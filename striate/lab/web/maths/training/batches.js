// The batches of an epoch and the learning rate of each step, in the order of striate's `fit`.

import { NumpyRandom, seedLong } from "./numpy_random.js";

/** The uses of random numbers, as striate/training/random_streams.py numbers them. */
const ORDER = 2, DROPOUT = 4;
const LONG = (1n << 64n) - 1n;

/**
 * The order in which an epoch takes the images.
 *
 * @param {number} seed
 * @param {number} epoch - from 0.
 * @param {number} images
 * @returns {Int32Array}
 */
export function orderOf(seed, epoch, images) {
  return new NumpyRandom([seed, ORDER, epoch]).permutation(images);
}

/**
 * The sizes of the batches of an epoch. The last one takes the remaining images; where that is one
 * alone, the batch before gives it one of its own.
 *
 * @param {number} images
 * @param {number} batch
 * @returns {number[]}
 */
export function batchSizes(images, batch) {
  const rest = images % batch, sizes = Array(Math.floor(images / batch)).fill(batch);
  if (rest) sizes.push(rest);
  if (rest === 1 && sizes.length > 1 && batch > 2) sizes.splice(-2, 2, batch - 1, 2);
  return sizes;
}

/**
 * A key for each image, from which the values are chosen that a Dropout drops: SplitMix64 (Steele,
 * Lea & Flood, 2014).
 *
 * @param {number} seed
 * @param {number} epoch
 * @param {ArrayLike<number>} rows
 * @returns {number[]}
 */
export function imageKeys(seed, epoch, rows) {
  const start = seedLong([seed, DROPOUT, epoch]);
  return Array.from(rows, (row) => {
    let bits = (start + BigInt(row) * 0x9e3779b97f4a7c15n) & LONG;
    bits = ((bits ^ (bits >> 30n)) * 0xbf58476d1ce4e5b9n) & LONG;
    bits = ((bits ^ (bits >> 27n)) * 0x94d049bb133111ebn) & LONG;
    return Number(bits >> 32n);
  });
}

/**
 * The learning rate of a step of one cycle (Smith & Topin, 2018): half a cosine up to `rate`, then
 * half a cosine down to almost nothing.
 *
 * @param {number} step - from 0.
 * @param {number} steps - of the whole training.
 * @param {{rate: number, peak: number, start: number, final: number}} recipe - the highest rate, the
 *   share of steps until then, and by what it is divided at the beginning and further at the end.
 * @returns {number}
 */
export function oneCycle(step, steps, { rate, peak, start, final }) {
  if (steps === 1) return rate;
  const first = 1 / start, top = peak * steps - 1;
  if (step < top) return rate * between(first, 1, step / top);
  const rest = steps - 1 - top, done = rest > 0 ? (step - top) / rest : 0;
  return rate * between(1, first / final, Math.min(done, 1));
}

/** @param {number} begin @param {number} end @param {number} share */
function between(begin, end, share) {
  return end + (begin - end) * 0.5 * (1 + Math.cos(Math.PI * share));
}
