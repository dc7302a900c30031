// Explains a gradient: the terms of the chain rule, ∂L/∂value = Σ ∂L/∂output · ∂output/∂value over all
// outputs that read the value.
//
// explainGradient(image, node, index) gives what `explain` gives, with the kind "sum" or "unknown",
// or "loss" of the network's outputs, where the way back begins.

import { checked, EPSILON } from "./explain.js";
import { gradientsOf, LAST, lossOf, readersOf } from "./gradients.js";
import { readingsOf } from "./readings.js";
import { isShown, nodeName, report } from "./values.js";
import { bracketed, listed, megabytes, number } from "./words.js";

export function explainGradient(image, node, index) {
  const told = { node, index, value: gradientsOf(image, node)[index], from: [], of: "gradient" };
  if (node === LAST) return { ...told, ...explainLogit(image, index, told.value) };
  const missing = readersOf(node).map((reader) => lacks(reader.node)).filter(Boolean);
  if (missing.length) return { ...told, kind: "unknown", text: missing[0] };
  const parts = readersOf(node).flatMap((reader) => partsOf(image, reader, index)).filter(({ terms }) => terms.length);
  const all = parts.flatMap((part) => part.terms.map((term) => [part, term]));
  const from = all.length === 1 && all[0][1].weight !== 0 ? [{ node: all[0][0].source, index: all[0][1].index }] : [];
  return checked({ ...told, kind: "sum", parts, from });
}

// Why the terms that come from a layer cannot be written out, or null.
function lacks(node) {
  const layer = report.nodes[node];
  const left = [...new Set([...layer.inputs, node])].filter((one) => !isShown(one));
  if (left.length) return `The values of ${listed(left.map(nodeName))}, on which its derivative depends, are left out of this page for their size.`;
  if (!layer.gradientShown) return `The gradients of ${nodeName(node)}, which its own are made of, are left out of this page for their size.`;
  if (layer.leftOut) return `The weights of ${nodeName(node)} are left out of this page: they are ${megabytes(layer.leftOut)}.`;
  if (!readingsOf(0, node, 0, 0)) return `This page cannot write out the derivative of a layer of the type ${layer.type}.`;
  return null;
}

function partsOf(image, { node, which }, index) {
  const above = gradientsOf(image, node);
  return readingsOf(image, node, which, index).map((part) => ({
    ...part,
    terms: part.terms.map(({ index: output, factor, size, at }) => {
      const [input, weight] = [above[output], factor()];
      const most = typeof size === "function" ? size() : size ?? 0;
      return { index: output, input, weight, at, product: input * weight, rounding: Math.abs(input) * Math.max(most, Math.abs(weight)) };
    }),
  }));
}

// ∂L/∂logit = probability − target.
function explainLogit(image, index, value) {
  const { logits, probabilities, targets } = lossOf(image);
  const [p, t] = [probabilities[index], targets[index]];
  const total = p - t;
  const far = Math.max(...logits) - logits[index];
  // Of the exponential all digits of its argument count.
  const bound = EPSILON * (p * (4 + far) + 2 * t) + 2 ** -149;
  const difference = Math.abs(total - value);
  return {
    kind: "loss", total, check: { difference, bound, fits: difference <= bound },
    text: `probability − target = ${number(p)} − ${bracketed(t)}`,
  };
}

// Moving one value moves these: {node, parts} of each layer that reads it.
export function movedBy(image, node, index) {
  return readersOf(node)
    .filter((reader) => isShown(reader.node))
    .map((reader) => ({ node: reader.node, parts: readingsOf(image, reader.node, reader.which, index) }))
    .filter(({ parts }) => parts);
}
