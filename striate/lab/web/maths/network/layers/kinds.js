// The types of layers whose arithmetic stands in this folder.

import { ACTIVATIONS, activationLayer } from "./activations.js";
import { batchNorm } from "./batch_norm.js";
import { dropout } from "./dropout.js";
import { averagePool2d, flatten, maxPool2d } from "./pooling_layers.js";
import { conv2d, dense } from "./weighted_layers.js";

/** By the names that striate gives them. @type {Record<string, import("./layer_pass.js").LayerKind>} */
export const KINDS = {
  Conv2D: conv2d,
  MaxPool2D: maxPool2d,
  AvgPool2D: averagePool2d,
  GlobalAvgPool2D: averagePool2d,
  BatchNorm: batchNorm,
  Dropout: dropout,
  Flatten: flatten,
  Dense: dense,
  ...Object.fromEntries(Object.entries(ACTIVATIONS).map(([type, activation]) => [type, activationLayer(activation)])),
};

/**
 * Whether each layer reads the one before, and is one of those that are computed here.
 *
 * @param {import("../description.js").Description} network
 */
export function isReadable({ layers }) {
  return layers.every(({ type, inputs }, index) => type in KINDS && inputs.length === 1 && inputs[0] === index - 1);
}
