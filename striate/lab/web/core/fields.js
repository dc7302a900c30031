// What a room's state is made of, and how it is written in an address.
//
// A room declares its fields; each knows its default, reads its text in an address, and writes it.
// An address may come from anywhere: a text that makes no sense gives the default.

/**
 * One number, word or list of a room's state.
 *
 * @template Value
 * @typedef {object} Field
 * @property {Value} initial - the value where the address says nothing.
 * @property {(text: string) => Value | null} read - null where the text makes no sense.
 * @property {(value: Value) => string} write
 */

/** @typedef {Record<string, Field<any>>} Fields */

/** @typedef {Record<string, any>} State */

/**
 * A whole number within bounds.
 *
 * @param {number} initial
 * @param {number} least
 * @param {number} most
 * @returns {Field<number>}
 */
export function whole(initial, least, most) {
  return {
    initial,
    read: (text) => (/^-?\d{1,9}$/.test(text) && +text >= least && +text <= most ? +text : null),
    write: String,
  };
}

/**
 * One of some words.
 *
 * @template {string} Word
 * @param {Word} initial
 * @param {readonly Word[]} words
 * @returns {Field<Word>}
 */
export function choice(initial, words) {
  return {
    initial,
    read: (text) => words.find((word) => word === text) ?? null,
    write: (word) => word,
  };
}

/**
 * Yes or no.
 *
 * @param {boolean} initial
 * @returns {Field<boolean>}
 */
export function flag(initial) {
  return {
    initial,
    read: (text) => (text === "1" ? true : text === "0" ? false : null),
    write: (value) => (value ? "1" : "0"),
  };
}

/**
 * A list of numbers, at least `least` and at most `most` of them.
 *
 * @param {readonly number[]} initial
 * @param {number} least
 * @param {number} most
 * @returns {Field<readonly number[]>}
 */
export function numbers(initial, least, most) {
  return {
    initial,
    read(text) {
      const found = text === "" ? [] : text.split(",").map((one) => (one === "" ? NaN : Number(one)));
      return found.length >= least && found.length <= most && found.every(Number.isFinite) ? found : null;
    },
    write: (list) => list.join(","),
  };
}

/**
 * Any short text.
 *
 * @param {string} initial
 * @param {number} most - characters.
 * @returns {Field<string>}
 */
export function line(initial, most) {
  return { initial, read: (text) => (text.length <= most ? text : null), write: (text) => text };
}

/**
 * The state that an address tells.
 *
 * @param {Fields} fields
 * @param {URLSearchParams} told
 * @returns {State}
 */
export function readState(fields, told) {
  /** @type {State} */
  const state = {};
  for (const [name, field] of Object.entries(fields)) {
    const text = told.get(name);
    state[name] = (text === null ? null : field.read(text)) ?? field.initial;
  }
  return state;
}

/**
 * What an address tells of a state: only what is not as at first.
 *
 * @param {Fields} fields
 * @param {State} state
 * @returns {URLSearchParams}
 */
export function writeState(fields, state) {
  const told = new URLSearchParams();
  for (const [name, field] of Object.entries(fields)) {
    const text = field.write(state[name]);
    if (text !== field.write(field.initial)) told.set(name, text);
  }
  return told;
}
