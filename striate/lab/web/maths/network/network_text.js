// Layers as a short text for the address: "Conv2D*8*3*1*same_ReLU_Flatten_Dense*10".
//
// Options stand in their order; those that are as usual are empty, and left out at the end.

import { LAYERS, specOf } from "./layer_options.js";

/** @typedef {import("./layer_options.js").Spec} Spec */

/** The most layers of a network here. */
export const MOST_LAYERS = 40;

/**
 * @param {readonly Spec[]} specs
 * @returns {string}
 */
export function networkText(specs) {
  return specs.map((spec) => {
    /** @type {Record<string, any>} */
    const given = {};
    const words = Object.entries(LAYERS[spec.layer]).map(([name, option]) => {
      const text = option.write(spec[name]), usual = option.write(specOf(spec.layer, given)[name]);
      given[name] = spec[name];
      return text === usual ? "" : text;
    });
    return [spec.layer, ...words].join("*").replace(/\*+$/, "");
  }).join("_");
}

/**
 * @param {string} text
 * @returns {Spec[] | null} null where the text makes no sense.
 */
export function readNetworkText(text) {
  const layers = text.split("_");
  if (layers.length > MOST_LAYERS) return null;
  const specs = [];
  for (const one of layers) {
    const [layer, ...words] = one.split("*");
    const options = Object.hasOwn(LAYERS, layer) ? Object.entries(LAYERS[layer]) : null;
    if (!options || words.length > options.length) return null;
    /** @type {Record<string, any>} */
    const given = {};
    for (const [index, word] of words.entries()) {
      const [name, option] = options[index];
      if (word !== "" && (given[name] = option.read(word)) === null) return null;
    }
    specs.push(specOf(layer, given));
  }
  return specs;
}
