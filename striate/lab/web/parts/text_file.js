// Files of text: one that the page gives, and one that somebody chooses.

import { html } from "../core/dom.js";

/**
 * Gives a text to the reader as a file.
 *
 * @param {string} name
 * @param {string} type - such as "application/json".
 * @param {string} text
 */
export function saveText(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  html("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/**
 * A button by which a file is chosen.
 *
 * @param {object} options
 * @param {string} options.label
 * @param {string} options.accept - endings and types.
 * @param {(name: string, text: string) => void} options.onText
 * @returns {HTMLElement[]} the button, and the hidden field behind it.
 */
export function fileButton({ label, accept, onText }) {
  const file = html("input", { type: "file", accept, hidden: true, "aria-label": label, onchange: async () => {
    const chosen = file.files?.[0];
    file.value = ""; // the same file may be chosen again
    if (chosen) onText(chosen.name, await chosen.text());
  } });
  return [html("button", { type: "button", text: label, onclick: () => file.click() }), file];
}
