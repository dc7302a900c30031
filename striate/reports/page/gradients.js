// The loss of an image, and its gradients with respect to the values of every layer: as they are in
// the page or computed from others, in float32 and in the order of the layers' own code.

import { softmax } from "../../lab/web/maths/network/softmax.js";
import { decode, f32, INPUT, partOf, report, shapeOf, taps, valuesOf } from "./values.js";

export const LAST = report.nodes.length - 1;

// Which layers read the values of a node: [{node, which}], `which` being the place among its inputs.
const readers = new Map([[INPUT, []], ...report.nodes.map((_, node) => [node, []])]);
report.nodes.forEach(({ inputs }, node) => inputs.forEach((source, which) => readers.get(source).push({ node, which })));
export const readersOf = (node) => readers.get(node);

export const hasGradient = (node) =>
  node === INPUT ? report.images.some(({ gradients }) => INPUT in gradients) : report.nodes[node].gradientShown;

// Softmax and cross-entropy of the network's outputs, in double precision; `targets` is the
// distribution that the loss compares the probabilities with.
export function lossOf(image) {
  const { truth, loss: engine } = report.images[image];
  const logits = valuesOf(image, LAST);
  if (!logits) return { engine };
  const { smoothing } = report.loss;
  const rest = smoothing / logits.length;
  const targets = Array.from(logits, (_, k) => (k === truth ? 1 - smoothing + rest : rest));
  const most = Math.max(...logits);
  const normaliser = most + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - most), 0));
  const loss = targets.reduce((sum, t, k) => sum + t * (normaliser - logits[k]), 0);
  return { engine, logits, targets, probabilities: softmax(logits), loss };
}

// ∂L/∂input of layers that hand gradients on one by one: from ∂L/∂output `above`.
const handedBack = {
  ReLU: ({ above, output }) => above.map((g, i) => (output()[i] > 0 ? g : 0)),
  ReLU6: ({ above, output }) => above.map((g, i) => (output()[i] > 0 && output()[i] < 6 ? g : 0)),
  Clip: ({ above, input, output }) => above.map((g, i) => (output()[i] === input()[i] ? g : 0)),
  LeakyReLU: ({ layer, above, input }) => above.map((g, i) => (input()[i] > 0 ? g : f32(g * layer.slope))),
  PReLU({ layer, above, input }) {
    const slope = decode(layer.arrays.slope);
    return above.map((g, i) => (input()[i] > 0 ? g : f32(g * slope[i % slope.length])));
  },
  Scale: ({ layer, above }) => above.map((g) => f32(g * layer.factor)),
  Dropout: ({ above }) => above,
  Flatten: ({ above }) => above,
  Add: ({ above }) => above,
  Concat({ node, above, below, which }) {
    const { inputs } = report.nodes[node];
    above.forEach((g, i) => {
      const [source, at] = partOf(node, i);
      if (source === inputs[which]) below[at] = g;
    });
    return below;
  },
  BatchNorm({ layer, above }) {
    const [scale, inverse] = ["scale", "inverse"].map((name) => decode(layer.arrays[name]));
    return above.map((g, i) => f32(g * f32(scale[i % scale.length] * inverse[i % scale.length])));
  },
  // Windows that do not overlap: a pixel is in one at most.
  MaxPool2D({ node, above, below, input }) {
    above.forEach((g, output) => {
      below[winnerOf(node, output, input())] = g;
    });
    return below;
  },
};

// The first of the largest pixels in the window of an output of max-pooling, as an index of its input.
export function winnerOf(node, output, x) {
  const [, columns, channels] = shapeOf(node);
  const [, width] = shapeOf(report.nodes[node].inputs[0]);
  const place = Math.floor(output / channels);
  let best = -1;
  for (const tap of taps(node, Math.floor(place / columns), place % columns)) {
    if (!tap.inside) continue;
    const at = (tap.row * width + tap.column) * channels + (output % channels);
    if (best < 0 || x[at] > x[best]) best = at;
  }
  return best;
}

const computed = new Map();
let computedImage = null;

// ∂L/∂value of all values of a node for one of the images, or null where the page does not hold them.
export function gradientsOf(image, node) {
  if (!hasGradient(node)) return null;
  const { gradients } = report.images[image];
  if (node in gradients) return decode(gradients[node]);
  if (image !== computedImage) computed.clear(); // those of one image at a time are enough
  computedImage = image;
  if (!computed.has(node)) {
    const [{ node: reader, which }] = readersOf(node);
    computed.set(node, handedBack[report.nodes[reader].type]({
      node: reader, which, layer: report.nodes[reader], above: gradientsOf(image, reader),
      below: new Float32Array(valuesOf(image, node).length),
      input: () => valuesOf(image, node), output: () => valuesOf(image, reader),
    }));
  }
  return computed.get(node);
}
