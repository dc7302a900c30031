// Numbers that are typed as text, and a grid of fields; what makes no sense is said, and not taken.

import { html, set } from "../core/dom.js";
import { cellWeight } from "./written_sum.js";
import { readNumber, typed } from "../maths/typed_numbers.js";

/** @typedef {import("../maths/typed_numbers.js").Matrix} Matrix */

/**
 * A line of text that is read as something.
 *
 * @template Value
 * @param {object} options
 * @param {string} options.label
 * @param {(text: string) => Value | null} options.read - null where it makes no sense.
 * @param {(value: Value) => string} options.write
 * @param {string} options.wrong - what to say then.
 * @param {(value: Value) => void} options.onChange
 * @returns {import("./controls.js").Control<Value>}
 */
export function typedControl({ label, read, write, wrong, onChange }) {
  const problem = html("span", { class: "wrong", role: "alert" });
  const input = html("input", { type: "text", spellcheck: "false", autocomplete: "off", oninput: () => {
    const value = read(input.value);
    set(input, { "aria-invalid": value === null && "true" });
    problem.textContent = value === null ? wrong : "";
    if (value !== null) onChange(value);
  }, onblur: () => {
    problem.textContent = "";
    set(input, { "aria-invalid": false });
    input.value = shown;
  } });
  let shown = "";
  return {
    element: html("label", { class: "labelled typed" }, html("span", { text: label }), input, problem),
    show(value) {
      shown = write(value);
      if (document.activeElement !== input) input.value = shown;
    },
  };
}

/**
 * A grid of fields, one for each number of a matrix; fractions such as 1/9 are read.
 *
 * @param {object} options
 * @param {string} options.label
 * @param {(row: number, column: number) => string} options.name - of one field.
 * @param {(matrix: Matrix) => void} options.onChange
 * @returns {import("./controls.js").Control<Matrix>}
 */
export function matrixFields({ label, name, onChange }) {
  const body = html("div", { class: "matrix-fields", role: "group", "aria-label": label });
  /** @type {Matrix} */
  let now = { rows: 0, columns: 0, values: [] };
  /** @type {HTMLInputElement[]} */
  let fields = [];

  /** @param {number} index */
  function take(index) {
    const value = readNumber(fields[index].value);
    set(fields[index], { "aria-invalid": value === null && "true" });
    if (value === null) return;
    now = { ...now, values: now.values.map((old, at) => (at === index ? value : old)) };
    onChange(now);
  }
  return {
    element: body,
    show(matrix) {
      const same = matrix.rows === now.rows && matrix.columns === now.columns;
      now = matrix;
      if (!same) {
        fields = matrix.values.map((_, index) =>
          html("input", {
            type: "text", inputmode: "decimal", autocomplete: "off",
            "aria-label": name(Math.floor(index / matrix.columns), index % matrix.columns),
            oninput: () => take(index),
            // While it is edited the number stands there in full.
            onfocus: () => (fields[index].value = typed(now.values[index])),
            onblur: () => {
              fields[index].value = cellWeight(now.values[index], 3);
              set(fields[index], { "aria-invalid": false });
            },
          }));
        set(body, { style: `grid-template-columns: repeat(${matrix.columns}, minmax(2.2rem, 4.2rem))` });
        set(body, { class: `matrix-fields${matrix.columns > 5 ? " is-wide" : ""}` });
        body.replaceChildren(...fields);
      }
      fields.forEach((field, index) => {
        const text = cellWeight(matrix.values[index], 3);
        if (document.activeElement !== field && field.value !== text) field.value = text;
      });
    },
  };
}
