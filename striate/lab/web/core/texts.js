// What the page says: all of it stands in texts/en.json, so that it can be translated.

import { embedded } from "./data.js";

/** @type {any} */
let texts = null;

/**
 * A text by its name, such as "size.stride", with what stands in braces filled in: "{rows} rows".
 *
 * A text may be an object of plural forms, {"one": …, "other": …}, chosen by the value `n`.
 *
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function say(name, values = {}) {
  texts ??= embedded("lab-texts");
  let found = name.split(".").reduce((at, part) => at?.[part], texts);
  if (found && typeof found === "object" && "n" in values)
    found = found[new Intl.PluralRules(texts.language).select(Number(values.n))] ?? found.other;
  if (typeof found !== "string") throw new Error(`there is no text ${name}`);
  return found.replace(/\{(\w+)\}/g, (_, key) => {
    if (!(key in values)) throw new Error(`the text ${name} wants ${key}`);
    return String(values[key]);
  });
}

/**
 * A number to be read: at most so many digits behind the point, none that say nothing, a true minus.
 *
 * @param {number} value
 * @param {number} [digits]
 * @returns {string}
 */
export function written(value, digits = 3) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "?" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e7 || size < 10 ** -digits / 2)) {
    const [part, power] = value.toExponential(2).split("e");
    return `${part.replace(/\.?0+$/, "")}·10^${Number(power)}`.replace(/-/g, "−");
  }
  const text = value.toFixed(digits);
  return (digits ? text.replace(/\.?0+$/, "") : text).replace(/^-(?=0$)/, "").replace("-", "−");
}
