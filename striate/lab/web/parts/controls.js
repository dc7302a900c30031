// What one turns: numbers with a slider, choices, switches. Each has a label, and works by keys.

import { html, set } from "../core/dom.js";

/**
 * A control: its element, and how it is brought up to date.
 *
 * @template Value
 * @typedef {{element: HTMLElement, show: (value: Value) => void}} Control
 */

/**
 * A number, typed or slid.
 *
 * @param {object} options
 * @param {string} options.label
 * @param {number} options.least
 * @param {number} options.most
 * @param {number} [options.step]
 * @param {(value: number) => void} options.onChange - with numbers within the bounds only.
 * @returns {Control<number>}
 */
export function numberControl({ label, least, most, step = 1, onChange }) {
  const bounds = { min: least, max: most, step };
  /** @param {Event} event */
  const take = (event) => {
    const value = /** @type {HTMLInputElement} */ (event.target).valueAsNumber;
    if (value >= least && value <= most && (step !== 1 || Number.isInteger(value))) onChange(value);
  };
  const slider = html("input", { type: "range", ...bounds, "aria-label": label, oninput: take });
  const typed = html("input", { type: "number", ...bounds, "aria-label": label, oninput: take });
  const element = html("div", { class: "labelled", role: "group", "aria-label": label },
    html("span", { "aria-hidden": "true", text: label }),
    html("div", { class: "number" }, slider, typed));
  return {
    element,
    show(value) {
      slider.value = String(value);
      // What is being typed, such as "-" or "1.", stays.
      if (document.activeElement !== typed || typed.valueAsNumber !== value) typed.value = String(value);
    },
  };
}

/**
 * One of some words.
 *
 * @param {object} options
 * @param {string} options.label
 * @param {readonly (readonly [value: string, text: string])[]} options.choices
 * @param {(value: string) => void} options.onChange
 * @returns {Control<string>}
 */
export function choiceControl({ label, choices, onChange }) {
  const select = html("select", { onchange: () => onChange(select.value) },
    ...choices.map(([value, text]) => html("option", { value, text })));
  return {
    element: html("label", { class: "labelled" }, html("span", { text: label }), select),
    show: (value) => void (select.value = value),
  };
}

/**
 * Yes or no, as a button that stays pressed.
 *
 * @param {object} options
 * @param {string} options.label
 * @param {(value: boolean) => void} options.onChange
 * @returns {Control<boolean>}
 */
export function switchControl({ label, onChange }) {
  const button = html("button", {
    type: "button",
    text: label,
    onclick: () => onChange(button.getAttribute("aria-pressed") !== "true"),
  });
  return { element: button, show: (value) => set(button, { "aria-pressed": String(value) }) };
}
