// Random numbers as NumPy's default_rng draws them: SeedSequence, PCG64, permutations, normal numbers.
//
// Sources: M. E. O'Neill, "PCG: a family of simple fast space-efficient statistically good
// algorithms for random number generation" (2014), and "Developing a seed_seq alternative" (2015);
// G. Marsaglia and W. W. Tsang, "The ziggurat method for generating random variables" (2000), as
// numpy/random has them.

const POOL = 4;
const WORD = 0xffffffffn;
const LONG = (1n << 64n) - 1n;
const WIDE = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
const FRACTION = 2 ** 52;

/**
 * Words of 32 bits that are spread from a list of whole numbers: NumPy's SeedSequence.
 *
 * @param {readonly number[]} entropy - at least 0, below 2**53.
 * @param {number} count
 * @returns {Uint32Array}
 */
function seedWords(entropy, count) {
  const pool = mixedPool(entropy.flatMap(wordsOf));
  const words = new Uint32Array(count);
  let hash = 0x8b51f9dd;
  for (let i = 0; i < count; i++) {
    let value = pool[i % POOL] ^ hash;
    hash = Math.imul(hash, 0x58f38ded);
    value = Math.imul(value, hash);
    words[i] = value ^ (value >>> 16);
  }
  return words;
}

/**
 * One number of 64 bits from a list of whole numbers, as SeedSequence.generate_state gives it.
 *
 * @param {readonly number[]} entropy
 * @returns {bigint}
 */
export function seedLong(entropy) {
  const [low, high] = seedWords(entropy, 2);
  return (BigInt(high) << 32n) | BigInt(low);
}

/** A whole number as words of 32 bits, the lowest first. @param {number} value */
function wordsOf(value) {
  const high = Math.floor(value / 2 ** 32);
  return high ? [value >>> 0, high] : [value >>> 0];
}

/** @param {readonly number[]} words */
function mixedPool(words) {
  let hash = 0x43b0d7e5;
  /** @param {number} value */
  const hashed = (value) => {
    value ^= hash;
    hash = Math.imul(hash, 0x931e8875);
    value = Math.imul(value, hash);
    return value ^ (value >>> 16);
  };
  /** @param {number} x @param {number} y */
  const mixed = (x, y) => {
    const result = Math.imul(x, 0xca01f9dd) - Math.imul(y, 0x4973f715);
    return result ^ (result >>> 16);
  };
  const pool = Array.from({ length: POOL }, (_, i) => hashed(words[i] ?? 0));
  for (let from = 0; from < POOL; from++)
    for (let to = 0; to < POOL; to++) if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
  for (let from = POOL; from < words.length; from++)
    for (let to = 0; to < POOL; to++) pool[to] = mixed(pool[to], hashed(words[from]));
  return pool;
}

/** NumPy's generator of a seed: PCG64 (XSL-RR, 128 bits). */
export class NumpyRandom {
  #state = 0n;
  #increment = 0n;
  /** @type {number | null} The upper half of the last number, which the next word takes. */
  #kept = null;

  /** @param {readonly number[]} entropy - such as [seed, stream, epoch]. */
  constructor(entropy) {
    const words = seedWords(entropy, 8);
    const long = (/** @type {number} */ i) => (BigInt(words[2 * i + 1]) << 32n) | BigInt(words[2 * i]);
    this.#increment = ((((long(2) << 64n) | long(3)) << 1n) | 1n) & WIDE;
    this.#step();
    this.#state = (this.#state + ((long(0) << 64n) | long(1))) & WIDE;
    this.#step();
  }

  #step() {
    this.#state = (this.#state * MULTIPLIER + this.#increment) & WIDE;
  }

  /** The next 64 bits. @returns {bigint} */
  long() {
    this.#step();
    const value = (this.#state >> 64n) ^ (this.#state & LONG), turn = this.#state >> 122n;
    return ((value >> turn) | (value << ((64n - turn) & 63n))) & LONG;
  }

  /** The next 32 bits: the lower half of 64, then the upper one. @returns {number} */
  word() {
    if (this.#kept !== null) {
      const kept = this.#kept;
      this.#kept = null;
      return kept;
    }
    const both = this.long();
    this.#kept = Number(both >> 32n);
    return Number(both & WORD);
  }

  /**
   * A whole number of 0 … most, each as likely: as many bits as that has, drawn until they fit.
   *
   * @param {number} most - below 2**31.
   */
  upTo(most) {
    if (most === 0) return 0;
    const mask = 2 ** (32 - Math.clz32(most)) - 1;
    for (;;) {
      const value = (this.word() & mask) >>> 0;
      if (value <= most) return value;
    }
  }

  /**
   * The numbers 0 … count - 1 in a random order (Fisher & Yates), as Generator.permutation.
   *
   * @param {number} count
   * @returns {Int32Array}
   */
  permutation(count) {
    const order = Int32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = this.upTo(i);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /** A number of 0 to below 1, of 53 bits. */
  #fraction() {
    return Number(this.long() >> 11n) / 2 ** 53;
  }

  /**
   * A number of the normal distribution with mean 0 and deviation 1: Generator.standard_normal, but for
   * the last bits of a float64.
   *
   * @returns {number}
   */
  normal() {
    const { widths, heights, inner } = ziggurat();
    for (;;) {
      const bits = this.long(), layer = Number(bits & 0xffn);
      const whole = Number((bits >> 9n) & 0xfffffffffffffn), size = whole * widths[layer];
      const x = bits & 0x100n ? -size : size;
      if (whole < inner[layer]) return x; // 99 % of all
      if (layer === 0) {
        const isNegative = Math.floor(whole / 256) % 2 === 1;
        for (;;) {
          const beyond = -Math.log1p(-this.#fraction()) / TAIL, y = -Math.log1p(-this.#fraction());
          if (y + y > beyond * beyond) return isNegative ? -(TAIL + beyond) : TAIL + beyond;
        }
      }
      const height = heights[layer] + (heights[layer - 1] - heights[layer]) * this.#fraction();
      if (height < Math.exp(-0.5 * x * x)) return x;
    }
  }
}

/** Where the tail of the normal density begins, and the area of it and of each layer above. */
const TAIL = 3.6541528853610088, AREA = 0.004928673233974655;

/** @type {{widths: Float64Array, heights: Float64Array, inner: Float64Array} | null} */
let layers = null;

/**
 * The 256 layers of equal area under the density exp(-x²/2): their widths, divided by 2**52, the
 * densities at them, and up to which number of 52 bits a point lies under the density for sure.
 */
function ziggurat() {
  if (layers) return layers;
  const widths = new Float64Array(256), heights = new Float64Array(256), inner = new Float64Array(256);
  let x = TAIL;
  widths[255] = x / FRACTION;
  heights[255] = Math.exp(-0.5 * x * x);
  inner[0] = Math.floor(((x * heights[255]) / AREA) * FRACTION);
  widths[0] = AREA / heights[255] / FRACTION;
  heights[0] = 1;
  for (let layer = 254; layer > 0; layer--) {
    const next = Math.sqrt(-2 * Math.log(AREA / x + heights[layer + 1]));
    inner[layer + 1] = Math.floor((next / x) * FRACTION);
    widths[layer] = next / FRACTION;
    heights[layer] = Math.exp(-0.5 * next * next);
    x = next;
  }
  return (layers = { widths, heights, inner });
}
