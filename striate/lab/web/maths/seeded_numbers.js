// Numbers that look random and follow from a seed, the same in every browser.

/**
 * Draws numbers; what it draws follows from the seed alone (mulberry32, in whole numbers of 32 bits).
 */
export class SeededNumbers {
  #state;

  /** @param {number} seed - a whole number; only its lowest 32 bits count. */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /**
   * A whole number of 32 bits.
   *
   * @returns {number}
   */
  bits() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /**
   * A whole number from `least` to `most`, both included.
   *
   * @param {number} least
   * @param {number} most
   * @returns {number}
   */
  whole(least, most) {
    return least + Math.floor((this.bits() / 4294967296) * (most - least + 1));
  }

  /**
   * One of a list.
   *
   * @template Value
   * @param {readonly Value[]} list
   * @returns {Value}
   */
  oneOf(list) {
    return list[this.whole(0, list.length - 1)];
  }
}

/**
 * The first whole numbers that a seed gives, see `SeededNumbers`.
 *
 * @param {number} seed
 * @param {number} count
 * @param {number} least
 * @param {number} most
 * @returns {number[]}
 */
export function wholesFrom(seed, count, least, most) {
  const random = new SeededNumbers(seed);
  return Array.from({ length: count }, () => random.whole(least, most));
}
