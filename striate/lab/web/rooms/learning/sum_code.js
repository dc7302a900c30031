// The sum behind a number of the network, to be written as code.

/** @typedef {import("../../maths/code/python_text.js").CodeSum} CodeSum */

/** The names of both factors and of the sum. */
const NAMES = /** @type {const} */ ({ value: ["x", "w", "y"], gradient: ["dy", "w", "dx"], weight: ["dy", "x", "dw"] });

/** By the type of the layer, which sum of the compiler it is one of. @type {Record<keyof typeof NAMES, Record<string, string>>} */
const NESTS = {
  value: { Conv2D: "layer", Dense: "dense", MaxPool2D: "pool" },
  gradient: { Conv2D: "inputGradient" },
  weight: { Conv2D: "filterGradient" },
};

/**
 * @param {import("./sums.js").Sum} sum
 * @param {import("./network_view.js").Picked} picked
 * @param {boolean} backward
 * @param {import("../../maths/network/description.js").Description} network
 * @returns {CodeSum | null} null where the number is no sum of products.
 */
export function codeOf(sum, { kind, layer }, backward, network) {
  const products = sum.total === null ? [] : sum.all();
  if (!products.length) return null;
  const what = kind === "weight" ? "weight" : backward ? "gradient" : "value";
  const { type } = network.layers[what === "gradient" ? layer + 1 : layer]; // a gradient comes from the layer above
  return {
    kind: "products", names: NAMES[what], nest: NESTS[what][type] ?? null,
    left: products.map(({ left }) => left), right: products.map(({ right }) => right),
  };
}
