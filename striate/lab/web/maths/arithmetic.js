// Sums as one types them: "2·3 + (−1)·4 − 1/2".

/**
 * A sum that was typed: its value, and its terms as they stand.
 *
 * @typedef {{value: number, terms: {value: number, text: string}[]}} TypedSum
 */

/**
 * What was typed, or null where it is no sum of numbers.
 *
 * Numbers may have a point or a comma, products any of * · × and "x", and divisions /; parentheses may
 * stand anywhere.
 *
 * @param {string} text
 * @returns {TypedSum | null}
 */
export function typedSum(text) {
  const signs = text.replace(/[−–]/g, "-").replace(/[·×∙⋅x]/g, "*").replace(/(\d),(\d)/g, "$1.$2");
  const tokens = signs.match(/\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|[-+*/()]|\S/gi) ?? [];
  const reader = new Reader(tokens);
  const found = reader.sum();
  return found && reader.atEnd && Number.isFinite(found.value) ? found : null;
}

class Reader {
  #tokens;
  #next = 0;

  /** @param {readonly string[]} tokens */
  constructor(tokens) {
    this.#tokens = tokens;
  }

  get atEnd() {
    return this.#next === this.#tokens.length;
  }

  /** @returns {TypedSum | null} */
  sum() {
    /** @type {TypedSum["terms"]} */
    const terms = [];
    do {
      const start = this.#next;
      /** @type {number} */
      const sign = terms.length > 0 && this.#tokens[start - 1] === "-" ? -1 : 1;
      /** @type {number | null} */
      const value = this.#term();
      if (value === null) return null;
      const text = this.#tokens.slice(start, this.#next).join("");
      terms.push({ value: sign * value, text: sign < 0 ? `-${text}` : text });
    } while (this.#takes("+", "-"));
    return { value: terms.reduce((sum, one) => sum + one.value, 0), terms };
  }

  /** @returns {number | null} */
  #term() {
    let value = this.#factor();
    while (value !== null && this.#takes("*", "/")) {
      const divides = this.#tokens[this.#next - 1] === "/";
      const next = this.#factor();
      if (next === null) return null;
      value = divides ? value / next : value * next;
    }
    return value;
  }

  /** @returns {number | null} */
  #factor() {
    if (this.#takes("-")) {
      const value = this.#factor();
      return value === null ? null : -value;
    }
    if (this.#takes("+")) return this.#factor();
    if (this.#takes("(")) {
      const inner = this.sum();
      return inner && this.#takes(")") ? inner.value : null;
    }
    const token = this.#tokens[this.#next];
    if (token === undefined || !/^[\d.]/.test(token)) return null;
    this.#next += 1;
    return Number(token);
  }

  /** @param {...string} tokens */
  #takes(...tokens) {
    const found = tokens.includes(this.#tokens[this.#next]);
    if (found) this.#next += 1;
    return found;
  }
}
