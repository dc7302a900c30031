// Explains a value: the terms of its sum, the pixel that is the maximum, or the formula.
//
// explain(image, node, index) gives {node, index, value, kind, ...} with the kind
//   "sum"      parts: one for each channel or vector that is read, {source, channel, columns, terms},
//              terms: [{index (null: padding), input, weight, product}]; and bias, divisor, total,
//              `check`: how far the value is from the sum, and how far rounding can take it
//   "max"      part: the window, one of whose terms has `winner`; from: where that is
//   "formula"  text: with the numbers put in; from: [{node, index, value}]
//   "input"    raw, text
//   "unknown"  text: why it is not told
// and `also`: the weights that made it beside those of the terms, [{node, name, index}].

import { outputsOver } from "../../lab/web/maths/network/windows.js";
import { affineOf, chosenBy, columnsOf, counted, decode, INPUT, isShown, nodeName, normalised, partOf, placeOf, report, shapeOf, spreadTo, taps, valuesOf } from "./values.js";
import { bracketed, megabytes, number, placeText } from "./words.js";

export const EPSILON = 2 ** -23;

export function explain(image, node, index) {
  const value = valuesOf(image, node)[index];
  const told = { node, index, value, from: [], of: "value" };
  if (node === INPUT) return { ...told, kind: "input", ...explainInput(image, index, value) };
  const layer = report.nodes[node];
  const missing = layer.inputs.filter((source) => !isShown(source));
  if (missing.length)
    return { ...told, kind: "unknown", text: `The values of ${missing.map(nodeName).join(", ")}, which it is made of, are left out of this page for their size.` };
  if (layer.leftOut)
    return { ...told, kind: "unknown", text: `The weights of this layer are left out of this page: they are ${megabytes(layer.leftOut)}.` };
  const how = explanations[layer.type];
  if (!how) return { ...told, kind: "unknown", text: `This page cannot write out a layer of the type ${layer.type}.` };
  const read = layer.inputs.map((source) => valuesOf(image, source));
  const made = { ...told, also: channelWeights(node, index), ...how(layer, read, index, node, value) };
  return made.kind === "sum" ? checked(made) : made;
}

// The weights of a value's channel, other than those of a sum: [{node, name, index}].
function channelWeights(node, index) {
  const { arrays = {} } = report.nodes[node];
  return ["scale", "shift", "slope"].filter((name) => arrays[name]).map((name) => ({ node, name, index: index % decode(arrays[name]).length }));
}

// The total in double precision, how many terms it has, and what they would come to if all were positive.
export function summed(made) {
  let [total, absolute, terms] = [made.bias ?? 0, Math.abs(made.bias ?? 0), 1];
  for (const part of made.parts) {
    part.subtotal = part.terms.reduce((sum, term) => sum + term.product, 0);
    absolute += part.terms.reduce((sum, term) => sum + (term.rounding ?? Math.abs(term.product)), 0);
    total += part.subtotal;
    terms += part.terms.length;
  }
  const divisor = made.divisor ?? 1;
  return { total: total / divisor, absolute: absolute / divisor, terms };
}

// Adds the total, and compares it with the value of the engine, which added float32 numbers in an order of
// its own.
export function checked(made) {
  const { total, absolute, terms } = summed(made);
  const difference = Math.abs(total - made.value);
  // Each rounding is at most half of EPSILON of what is summed so far; in practice they cancel.
  const bound = (EPSILON / 2) * (4 + Math.sqrt(terms)) * absolute + 2 ** -149;
  return { ...made, total, terms, check: { difference, bound, fits: difference <= bound } };
}

function explainInput(image, index, value) {
  const { mean, std, shape } = report.input;
  const raw = decode(report.images[image].raw)[index];
  if (!mean.length) return { raw, text: `the image's own number, ${number(raw)}` };
  const c = index % shape[2];
  return { raw, text: `(pixel − mean) / std = (${number(raw)} − ${bracketed(mean[c])}) / ${number(std[c])} = ${number(value)}` };
}

export const explanations = {
  Conv2D(layer, [x], index, node) {
    const filters = decode(layer.arrays.filters);
    const filter = index % layer.shape[2];
    return windowSum(layer, x, index, node, { name: "filters", array: filters, start: 0 }, filter);
  },
  LocallyConnected2D(layer, [x], index, node) {
    const weights = decode(layer.arrays.weights);
    // A Conv2D with filters of its own at each position.
    const position = Math.floor(index / layer.shape[2]);
    const start = position * (weights.length / (layer.shape[0] * layer.shape[1]));
    return windowSum(layer, x, index, node, { name: "weights", array: weights, start }, index);
  },
  Dense(layer, [x], index, node) {
    const weights = decode(layer.arrays.weights);
    const columns = weights.length / x.length;
    // In a GroupedDense successive units share a column.
    const column = Math.floor(index / (layer.shape[0] / columns));
    const terms = Array.from(x, (input, i) => term(i, input, weights[i * columns + column], i * columns + column));
    const part = { source: layer.inputs[0], weights: { node, name: "weights" }, terms };
    return { kind: "sum", parts: [part], ...biasOf(layer, node, column) };
  },
  GroupedDense: (...all) => explanations.Dense(...all),
  SumPool2D: (layer, [x], index, node) => ({ kind: "sum", parts: [pooled(layer, x, index, node)] }),
  AvgPool2D(layer, [x], index, node) {
    const part = pooled(layer, x, index, node);
    const divisor = counted(node, index);
    return { kind: "sum", parts: [part], divisor };
  },
  GlobalAvgPool2D(layer, [x], index) {
    const part = wholeChannel(layer, x, index);
    return { kind: "sum", parts: [part], divisor: part.terms.length };
  },
  GlobalMaxPool2D: (layer, [x], index) => winnerOf(wholeChannel(layer, x, index)),
  ZeroPad2D: (layer, [x], index, node) => moved(layer, x, index, node),
  Crop2D: (layer, [x], index, node) => moved(layer, x, index, node),
  ConvTranspose2D(layer, [x], index, node) {
    const [row, column, filter] = placeOf(node, index);
    const source = layer.inputs[0];
    const [height, width, channels] = shapeOf(source);
    const filters = decode(layer.arrays.filters);
    const share = layer.shape[2] / layer.groups;
    const depth = channels / layer.groups;
    const first = Math.floor(filter / share) * depth;
    // The pixels whose windows hold this output, each with the tap that meets it.
    const meeting = outputsOver(layer.window, [height, width], row, column);
    const parts = [...Array(depth).keys()].map((c) => ({
      source,
      channel: first + c,
      columns: columnsOf(meeting),
      weights: { node, name: "filters" },
      terms: meeting.map(({ row: y, column: x_, tap }) => {
        const place = (y * width + x_) * channels + first + c;
        const weight = (tap * share + (filter % share)) * channels + first + c;
        return term(place, x[place], filters[weight], weight);
      }),
    }));
    return { kind: "sum", parts, ...biasOf(layer, node, filter) };
  },
  MaxPool2D(layer, [x], index, node) {
    return winnerOf({ ...pooled(layer, x, index, node), paddingText: "–" });
  },
  Add(layer, inputs, index) {
    const parts = inputs.map((x, which) => ({ source: layer.inputs[which], terms: [term(index, x[index])] }));
    return { kind: "sum", parts };
  },
  Concat(layer, inputs, index, node) {
    const [source, at] = partOf(node, index);
    const x = inputs[layer.inputs.indexOf(source)];
    return formula(source, at, x, () => `the value ${placeText(source, at)} of ${nodeName(source)}`);
  },
  BatchNorm(layer, [x], index) {
    const [scale, shift, mean, inverse] = ["scale", "shift", "mean", "inverse"].map((name) => decode(layer.arrays[name]));
    const c = index % scale.length;
    return formula(layer.inputs[0], index, x, (v) =>
      `scale · (x − mean) · 1/√(variance + ε) + shift = ${number(scale[c])} · (${number(v)} − ${bracketed(mean[c])}) · ${number(inverse[c])} + ${bracketed(shift[c])}`);
  },
  ReLU: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) => `max(x, 0) = max(${number(v)}, 0)`),
  LeakyReLU: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) =>
    v > 0 ? `x, which is positive: ${number(v)}` : `slope · x = ${number(layer.slope)} · ${bracketed(v)}`),
  ReLU6: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) => `min(max(x, 0), 6) = min(max(${number(v)}, 0), 6)`),
  Clip: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) => {
    const { low, high } = layer.options;
    const above = low === null ? number(v) : `max(${number(v)}, ${number(low)})`;
    return `x between its bounds: ${high === null ? above : `min(${above}, ${number(high)})`}`;
  }),
  HardSigmoid: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) =>
    `min(max(slope · x + offset, 0), 1) = min(max(${number(layer.options.slope)} · ${bracketed(v)} + ${bracketed(layer.options.offset)}, 0), 1)`),
  HardSwish: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) =>
    `x · min(max(x/6 + 1/2, 0), 1) with x = ${number(v)}`),
  SiLU: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) => `x / (1 + exp(−x)) with x = ${number(v)}`),
  Mish: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) => `x · tanh(log(1 + exp(x))) with x = ${number(v)}`),
  ELU: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) =>
    v > 0 ? `x, which is positive: ${number(v)}` : `alpha · (exp(x) − 1) = ${bracketed(layer.options.alpha)} · (exp(${number(v)}) − 1)`),
  GELU: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) =>
    layer.options.approximate === "tanh"
      ? `x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))) / 2 with x = ${number(v)}`
      : `x · (1 + erf(x/√2)) / 2 with x = ${number(v)}`),
  PReLU: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) => {
    const slope = decode(layer.arrays.slope);
    return v > 0 ? `x, which is positive: ${number(v)}` : `slope · x = ${bracketed(slope[index % slope.length])} · ${bracketed(v)}`;
  }),
  Affine: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) => {
    const { scale, shift } = affineOf(layer);
    const scaled = scale ? `${number(scale[index % scale.length])} · ${bracketed(v)}` : number(v);
    const words = scale && shift ? "x · scale + shift" : scale ? "x · scale" : "x + shift";
    return `${words} = ${scaled}${shift ? ` + ${bracketed(shift[index % shift.length])}` : ""}`;
  }),
  LayerNorm: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) => {
    const [scale, shift] = ["scale", "shift"].map((name) => decode(layer.arrays[name]));
    const c = index % scale.length;
    const pixel = [...x.subarray(index - c, index - c + scale.length)];
    const { mean, variance } = normalised(pixel, layer.options.eps);
    return `scale · (x − mean) / √(variance + ε) + shift = ${number(scale[c])} · (${number(v)} − ${bracketed(mean)}) / √(${number(variance)} + ${number(layer.options.eps)}) + ${bracketed(shift[c])}, with mean and variance of this pixel's ${pixel.length} channels`;
  }),
  LRN: (layer, [x], index, node) => formula(layer.inputs[0], index, x, (v) => {
    const { size, alpha, beta, bias } = layer.options;
    const channels = layer.shape[layer.shape.length - 1];
    const c = index % channels;
    const [first, stop] = [Math.max(c - Math.floor((size - 1) / 2), 0), Math.min(c + Math.floor(size / 2) + 1, channels)];
    const squares = [...x.subarray(index - c + first, index - c + stop)].reduce((sum, one) => sum + one * one, 0);
    return `x / (bias + alpha/size · Σ x²)^beta = ${number(v)} / (${number(bias)} + ${number(alpha)}/${size} · ${number(squares)})^${number(beta)}, the sum over channels ${first} to ${stop - 1}`;
  }),
  Multiply(layer, inputs, index, node) {
    const from = layer.inputs.map((source, which) => {
      const at = spreadTo(source, node, index);
      return { node: source, index: at, value: inputs[which][at] };
    });
    return { kind: "formula", text: `the product ${from.map(({ value }) => bracketed(value)).join(" · ")}`, from };
  },
  ChannelShuffle(layer, [x], index, node) {
    const [source, at] = [layer.inputs[0], chosenBy(node, index)];
    return formula(source, at, x, () => `the value ${placeText(source, at)} of ${nodeName(source)}`);
  },
  ChannelSlice: (...all) => explanations.ChannelShuffle(...all),
  Scale: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) => `factor · x = ${number(layer.factor)} · ${bracketed(v)}`),
  Sigmoid: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) => `1 / (1 + exp(−x)) with x = ${number(v)}`),
  Tanh: (layer, [x], index) => formula(layer.inputs[0], index, x, (v) => `tanh(x) with x = ${number(v)}`),
  Dropout: (layer, [x], index) => formula(layer.inputs[0], index, x, () => "unchanged: dropout acts in training only"),
  Flatten: (layer, [x], index) => formula(layer.inputs[0], index, x, () => `the value ${placeText(layer.inputs[0], index)} of ${nodeName(layer.inputs[0])}`),
};

// `at` is the place of the weight among those of the part's layer.
function term(index, input, weight = null, at = null) {
  return { index, input, weight, at, product: weight === null ? input : input * weight };
}

// The sum over a window, its weights being those from `start` on, by tap, channel and filter.
function windowSum(layer, x, index, node, { name, array, start }, unit) {
  const [row, column, filter] = placeOf(node, index);
  const source = layer.inputs[0];
  const [, width, channels] = shapeOf(source);
  const [kernels, depth] = [layer.shape[2], channels / layer.groups];
  const first = Math.floor(filter / (kernels / layer.groups)) * depth;
  const window = taps(node, row, column);
  const parts = [...Array(depth).keys()].map((c) => ({
    source,
    channel: first + c,
    columns: layer.window.size[1],
    weights: { node, name },
    terms: window.map((tap) => {
      const place = (tap.row * width + tap.column) * channels + first + c;
      const at = start + (tap.tap * depth + c) * kernels + filter;
      return term(tap.inside ? place : null, tap.inside ? x[place] : 0, array[at], at);
    }),
  }));
  return { kind: "sum", parts, ...biasOf(layer, node, unit) };
}

function biasOf(layer, node, unit) {
  if (!layer.arrays.bias) return { bias: null };
  return { bias: decode(layer.arrays.bias)[unit], also: [{ node, name: "bias", index: unit }] };
}

function pooled(layer, x, index, node) {
  const [row, column, channel] = placeOf(node, index);
  const source = layer.inputs[0];
  const [, width, channels] = shapeOf(source);
  const terms = taps(node, row, column).map((tap) => {
    const at = (tap.row * width + tap.column) * channels + channel;
    return term(tap.inside ? at : null, tap.inside ? x[at] : 0);
  });
  return { source, channel, columns: layer.window.size[1], terms };
}

function wholeChannel(layer, x, channel) {
  const source = layer.inputs[0];
  const [height, width, channels] = shapeOf(source);
  const terms = [];
  for (let i = 0; i < height * width; i++) terms.push(term(i * channels + channel, x[i * channels + channel]));
  return { source, channel, columns: width, terms };
}

function winnerOf(part) {
  const real = part.terms.filter((t) => t.index !== null);
  const winner = real.reduce((best, t) => (t.input > best.input ? t : best));
  winner.winner = true;
  return { kind: "max", part, from: [{ node: part.source, index: winner.index, value: winner.input }] };
}

// A pixel at another place, or a zero where there was none.
function moved(layer, x, index, node) {
  const [row, column, channel] = placeOf(node, index);
  const source = layer.inputs[0];
  const [height, width, channels] = shapeOf(source);
  const [y, x_] = [row - layer.window.pads[0], column - layer.window.pads[2]];
  if (y < 0 || y >= height || x_ < 0 || x_ >= width) return { kind: "formula", text: "0, put around the image", from: [] };
  const at = (y * width + x_) * channels + channel;
  return formula(source, at, x, () => `the value ${placeText(source, at)} of ${nodeName(source)}`);
}

function formula(source, index, x, text) {
  return { kind: "formula", text: text(x[index]), from: [{ node: source, index, value: x[index] }] };
}
