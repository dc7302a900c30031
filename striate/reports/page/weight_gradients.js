// Explains the gradient of a weight: ∂L/∂w = Σ ∂L/∂output · ∂output/∂w over all outputs that it made.
//
// explainWeight(image, node, name, index) gives what `explain` gives, with the kind "sum" or "unknown",
// and `name`, `weight`: its value; `value` is the engine's gradient, or null where that is left out.

import { tapsOf } from "../../lab/web/maths/network/windows.js";
import { checked, summed } from "./explain.js";
import { gradientsOf, hasGradient } from "./gradients.js";
import { count, decode, isShown, nodeName, normalised, report, shapeOf, taps, valuesOf } from "./values.js";
import { listed } from "./words.js";

export function explainWeight(image, node, name, index) {
  const { owner } = report.nodes[node];
  // Where layers share their weights, all of them count.
  const users = [...report.nodes.keys()].filter((one) => report.nodes[one].owner === owner);
  const kept = report.images[image].weightGradients[owner];
  const told = {
    node: owner, name, index, from: [], of: "weight",
    weight: decode(report.nodes[node].arrays[name])[index], value: kept ? decode(kept[name])[index] : null,
  };
  const hidden = new Set(users.flatMap((user) => [user, ...report.nodes[user].inputs]).filter((one) => !isShown(one)));
  if (hidden.size) return { ...told, kind: "unknown", text: `The values of ${listed([...hidden].map(nodeName))}, which it is made of, are left out of this page for their size.` };
  const without = users.filter((user) => !hasGradient(user));
  if (without.length) return { ...told, kind: "unknown", text: `The gradients of ${listed(without.map(nodeName))}, which it is made of, are left out of this page for their size.` };
  const how = outputsOf[report.nodes[owner].type];
  if (!how) return { ...told, kind: "unknown", text: `This page cannot write out the gradient of the weights of a layer of the type ${report.nodes[owner].type}.` };
  const { arrays } = report.nodes[node];
  const parts = users.map((user) => partOfUser(image, user, { how, name, index, arrays })).filter(({ terms }) => terms.length);
  const made = { ...told, kind: "sum", parts };
  return kept ? checked(made) : { ...made, ...summed(made) };
}

// The terms of one layer that has the weight: each its ∂L/∂output times what the weight is multiplied by.
function partOfUser(image, node, { how, name, index, arrays }) {
  const layer = report.nodes[node];
  const [source] = layer.inputs;
  const above = gradientsOf(image, node), x = valuesOf(image, source);
  const { columns, found } = how({ node, layer, source, x, arrays }, name, index);
  const terms = found.map(({ output, input, factor = x[input] }) => {
    const weight = input === null ? 0 : factor; // padding
    return { index: output, input: above[output], weight, weightIndex: input, product: above[output] * weight };
  });
  return { source: node, weightSource: source, columns, terms };
}

// Of each type of layer the outputs that a weight made: [{output, input, factor}], `input` being the place of
// the value that it was multiplied by, null in the padding and undefined where it was added; and `factor` what
// it was multiplied by, where that is not this value itself.
export const outputsOf = {
  Conv2D({ node, layer, source }, name, index) {
    const [rows, columns, filters] = layer.shape;
    if (name === "bias") return added(layer, index);
    const [, , depth] = layer.weightShapes.filters;
    const filter = index % filters, tap = Math.floor(index / filters / depth);
    const channel = Math.floor(filter / (filters / layer.groups)) * depth + (Math.floor(index / filters) % depth);
    const found = [];
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        found.push({ output: (row * columns + column) * filters + filter, input: readAt(node, source, row, column, tap, channel) });
    return { columns, found };
  },
  LocallyConnected2D({ node, layer, source }, name, index) {
    if (name === "bias") return { found: [{ output: index, factor: 1 }] };
    const [rows, columns, filters] = layer.shape;
    const each = count(layer.weightShapes.weights) / (rows * columns);
    const depth = shapeOf(source)[2] / layer.groups;
    const position = Math.floor(index / each), within = index % each;
    const filter = within % filters, tap = Math.floor(within / filters / depth);
    const channel = Math.floor(filter / (filters / layer.groups)) * depth + (Math.floor(within / filters) % depth);
    const [row, column] = [Math.floor(position / columns), position % columns];
    return { found: [{ output: position * filters + filter, input: readAt(node, source, row, column, tap, channel) }] };
  },
  ConvTranspose2D({ layer, source }, name, index) {
    if (name === "bias") return added(layer, index);
    const [rows, columns, channels] = shapeOf(source);
    const [, width, filters] = layer.shape;
    const share = filters / layer.groups;
    const channel = index % channels, tap = Math.floor(index / channels / share);
    const filter = Math.floor(channel / (channels / layer.groups)) * share + (Math.floor(index / channels) % share);
    const found = [];
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const { row: y, column: x, inside } = tapsOf(layer.window, layer.shape, row, column)[tap];
        if (inside) found.push({ output: (y * width + x) * filters + filter, input: (row * columns + column) * channels + channel });
      }
    return { found };
  },
  Dense({ layer }, name, index) {
    const columns = layer.weightShapes.weights[1];
    const each = layer.shape[0] / columns; // in a GroupedDense so many successive units share a weight
    const input = name === "bias" ? undefined : Math.floor(index / columns);
    const first = (name === "bias" ? index : index % columns) * each;
    return { found: [...Array(each).keys()].map((unit) => ({ output: first + unit, input, ...(name === "bias" ? { factor: 1 } : {}) })) };
  },
  GroupedDense: (...all) => outputsOf.Dense(...all),
  Affine: ({ layer }, name, index) => (name === "shift" ? added(layer, index) : multiplied(layer, index)),
  BatchNorm({ layer, x, arrays }, name, index) {
    if (name === "shift") return added(layer, index);
    const [mean, inverse] = ["mean", "inverse"].map((one) => decode(arrays[one]));
    return multiplied(layer, index, (i) => (x[i] - mean[index]) * inverse[index]);
  },
  LayerNorm({ layer, x }, name, index) {
    if (name === "shift") return added(layer, index);
    const channels = layer.shape[layer.shape.length - 1];
    return multiplied(layer, index, (i) => normalised([...x.subarray(i - index, i - index + channels)], layer.options.eps).values[index]);
  },
  PReLU({ layer, x }, name, index) {
    const shared = layer.weightShapes.slope[0] === 1;
    const { found } = shared ? multiplied({ shape: [count(layer.shape), 1] }, 0) : multiplied(layer, index);
    return { found: found.filter(({ input }) => x[input] <= 0) }; // the others are handed on
  },
};

// A weight that is added to all outputs of a channel.
function added(layer, channel) {
  const { columns, found } = multiplied(layer, channel);
  return { columns, found: found.map(({ output }) => ({ output, factor: 1 })) };
}

// A weight by which all values of a channel are multiplied.
function multiplied({ shape }, channel, factorOf) {
  const channels = shape[shape.length - 1];
  const found = [];
  for (let i = channel; i < count(shape); i += channels)
    found.push({ output: i, input: i, ...(factorOf ? { factor: factorOf(i) } : {}) });
  return { columns: shape.length === 3 ? shape[1] : undefined, found };
}

// What a tap reads for the output at a row and column: the place of the value, or null in the padding.
function readAt(node, source, row, column, tap, channel) {
  const [, width, channels] = shapeOf(source);
  const read = taps(node, row, column)[tap];
  return read.inside ? (read.row * width + read.column) * channels + channel : null;
}
