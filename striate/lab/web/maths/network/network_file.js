// A network as a file that `striate train --network FILE` reads, written and read: TOML, or JSON.

import { LAYERS, REQUIRED, specOf } from "./layer_options.js";
import { MOST_LAYERS } from "./network_text.js";
import { readToml, TomlError } from "./toml_text.js";

/** @typedef {import("./layer_options.js").Spec} Spec */

/**
 * The text of a file in TOML.
 *
 * @param {readonly Spec[]} specs
 * @param {readonly number[]} input - the shape of the images.
 * @param {string} comment - the first line.
 * @returns {string}
 */
export function networkToml(specs, input, comment) {
  const tables = specs.map((spec) => {
    const usual = specOf(spec.layer, { size: spec.size });
    const lines = Object.keys(LAYERS[spec.layer])
      .filter((name) => REQUIRED[spec.layer]?.includes(name) || JSON.stringify(spec[name]) !== JSON.stringify(usual[name]))
      .map((name) => `${name} = ${tomlValue(spec[name])}`);
    return ["[[layers]]", `layer = "${spec.layer}"`, ...lines].join("\n");
  });
  return [`# ${comment}`, `input_shape = [${input.join(", ")}]`, "", ...tables.flatMap((table) => [table, ""])].join("\n");
}

/** @param {any} value */
function tomlValue(value) {
  if (Array.isArray(value)) return value.every((one) => one === value[0]) ? String(value[0]) : `[${value.join(", ")}]`;
  if (typeof value === "string") return `"${value}"`;
  // A whole number is an integer in TOML, and striate takes it as a real number, too.
  return String(value);
}

/**
 * What is wrong with a file: a text of the page, learning.file.PROBLEM, and what it names.
 *
 * @typedef {{problem: string, values: Record<string, string | number>}} FileProblem
 */

/**
 * The layers of a file.
 *
 * @param {string} text
 * @param {boolean} isJson
 * @param {{input: readonly number[], classes: number}} task
 * @returns {{specs: Spec[]} | FileProblem}
 */
export function readNetworkFile(text, isJson, { input, classes }) {
  let content;
  try {
    content = isJson ? JSON.parse(text) : readToml(text);
  } catch (error) {
    return error instanceof TomlError ? problem("toml", { line: error.line, found: error.found || "…" }) : problem("json");
  }
  const { architecture, nodes, input_shape: shape, layers } = Array.isArray(content) ? { layers: content } : content ?? {};
  if (architecture !== undefined || nodes !== undefined) return problem("other");
  if (shape !== undefined && JSON.stringify(shape) !== JSON.stringify(input))
    return problem("shape", { shape: [shape].flat().join("×"), input: input.join("×") });
  if (!Array.isArray(layers) || !layers.length) return problem("layers");
  if (layers.length > MOST_LAYERS) return problem("many", { layers: layers.length, most: MOST_LAYERS });
  const specs = [];
  for (const [index, entry] of layers.entries()) {
    const read = readLayer(entry, index + 1, classes, layers[index - 1]?.name ?? (index ? null : "input"));
    if ("problem" in read) return read;
    specs.push(read.spec);
  }
  return { specs };
}

/**
 * @param {any} entry
 * @param {number} number - from 1.
 * @param {number} classes
 * @param {string | null} before - the name of the layer before, which alone may be its input.
 * @returns {{spec: Spec} | FileProblem}
 */
function readLayer(entry, number, classes, before) {
  const { layer, inputs, name: _, ...given } = entry ?? {};
  if (!Object.hasOwn(LAYERS, layer)) return problem("layer", { number, layer: String(layer), known: Object.keys(LAYERS).join(", ") });
  if (inputs !== undefined && String(inputs) !== before) return problem("graph", { number });
  /** @type {Record<string, any>} */
  const taken = {};
  for (const [name, value] of Object.entries(given)) {
    const option = LAYERS[layer][name];
    if (!option) return problem("option", { number, layer, name, known: Object.keys(LAYERS[layer]).join(", ") || "–" });
    taken[name] = option.taken(value === "classes" ? classes : value);
    if (taken[name] === null) return problem("value", { number, layer, name, value: JSON.stringify(value) });
  }
  const missing = (REQUIRED[layer] ?? []).find((name) => !(name in taken));
  return missing ? problem("missing", { number, layer, name: missing }) : { spec: specOf(layer, taken) };
}

/** @param {string} name @param {Record<string, string | number>} [values] @returns {FileProblem} */
const problem = (name, values = {}) => ({ problem: name, values });
