// A sum written out: each product under its names, and the total; terms wrap as words do.

import { html, set } from "../core/dom.js";
import { say } from "../core/texts.js";
import { typed } from "../maths/typed_numbers.js";
import { written } from "../core/texts.js";

/**
 * One product.
 *
 * @typedef {object} WrittenTerm
 * @property {string} names - such as "f(0)·g(2)".
 * @property {number} value
 * @property {number} weight
 * @property {number} product
 */

/** A negative number in brackets, so that its sign is not read as a minus of the sum. @param {string} text */
const bracketed = (text) => (/^[−-]/.test(text) ? `(${text})` : text);

/** A number as it is typed where that is short, else rounded. @param {number} value */
export function shortNumber(value) {
  const exact = typed(value);
  return exact.length <= 6 ? exact.replace("-", "−") : written(value, 3);
}

/**
 * A number for a small cell: rounded to so many digits behind the point, also where that leaves 0.
 *
 * @param {number} value
 * @param {number} digits
 * @returns {string}
 */
export function cellNumber(value, digits) {
  return written(Number(value.toFixed(digits)), digits);
}

/**
 * A weight for a small cell: a fraction where it is a short one.
 *
 * @param {number} value
 * @param {number} digits
 * @returns {string}
 */
export function cellWeight(value, digits) {
  const exact = typed(value);
  return exact.length <= 5 ? exact.replace("-", "−") : cellNumber(value, digits);
}

/**
 * @returns {{element: HTMLElement, show: (view: {left: string, terms: readonly WrittenTerm[], total: number}) => void}}
 */
export function writtenSum() {
  const left = html("span", { class: "sum-left" });
  const list = html("span", { class: "sum-terms" });
  const total = html("strong", { class: "is-output" });
  const element = html("div", { class: "sum" }, left, list, html("span", { class: "sum-total", text: "= " }, total));
  /** @type {{term: HTMLElement, names: HTMLElement, value: HTMLElement, weight: HTMLElement, product: HTMLElement}[]} */
  const made = [];
  const nothing = html("span", { class: "sum-nothing", text: say("convolution.no_terms") });
  list.append(nothing);
  return {
    element,
    show({ left: name, terms, total: sum }) {
      set(left, { text: `${name} =` });
      while (made.length < terms.length) {
        const names = html("span", { class: "term-names" });
        const value = html("span", { class: "is-input" }), weight = html("span", { class: "is-filter" });
        const product = html("span", { class: "term-product" });
        const term = html("span", { class: "term" }, names, " ",
          html("span", {}, value, " · ", weight), " ", product);
        list.append(term);
        made.push({ term, names, value, weight, product });
      }
      made.forEach(({ term, ...one }, index) => {
        const shown = terms[index];
        term.hidden = !shown;
        if (!shown) return;
        set(term, { class: index ? "term" : "term is-first" });
        set(one.names, { text: shown.names });
        set(one.value, { text: bracketed(shortNumber(shown.value)) });
        set(one.weight, { text: bracketed(shortNumber(shown.weight)) });
        set(one.product, { text: `= ${shortNumber(shown.product)}` });
      });
      nothing.hidden = terms.length > 0;
      set(total, { text: written(sum, 4) });
    },
  };
}
