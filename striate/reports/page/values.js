// The numbers of the report, and the values of every layer: as they are in the page or computed
// from others, in float32 and in the order of the layers' own code, so that each bit is the same.

import { tapsOf } from "../../lab/web/maths/network/windows.js";

export const report = JSON.parse(document.getElementById("report-data").textContent);
export const INPUT = -1;
export const f32 = Math.fround;

const readers = {
  u1: [Uint8Array, "getUint8"],
  u2: [Uint16Array, "getUint16"],
  u4: [Uint32Array, "getUint32"],
  f4: [Float32Array, "getFloat32"],
};

export function decode(array) {
  if (array.numbers) return array.numbers;
  const text = atob(array.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  // Little-endian in the page, whatever the machine is.
  const view = new DataView(bytes.buffer);
  const [Numbers, read] = readers[array.type];
  const size = Numbers.BYTES_PER_ELEMENT;
  array.numbers = new Numbers(bytes.length / size);
  for (let i = 0; i < array.numbers.length; i++) array.numbers[i] = view[read](size * i, true);
  array.data = null;
  return array.numbers;
}

export const nodeName = (node) => (node === INPUT ? "input" : report.nodes[node].name);
export const shapeOf = (node) => (node === INPUT ? report.input.shape : report.nodes[node].shape);
export const isShown = (node) => node === INPUT || report.nodes[node].shown;
export const isImage = (node) => shapeOf(node).length === 3;
export const count = (shape) => shape.reduce((a, b) => a * b, 1);

// A value's place: [row, column, channel] of an image, [feature] of a vector.
export function placeOf(node, index) {
  const [, width, channels] = shapeOf(node);
  if (!isImage(node)) return [index];
  return [Math.floor(index / channels / width), Math.floor(index / channels) % width, index % channels];
}

export function indexOf(node, place) {
  const [, width, channels] = shapeOf(node);
  return isImage(node) ? (place[0] * width + place[1]) * channels + place[2] : place[0];
}

// The taps that one output of a window layer reads of one channel: [{tap, row, column, inside}].
export function taps(node, row, column) {
  const layer = report.nodes[node];
  return tapsOf(layer.window, shapeOf(layer.inputs[0]), row, column);
}

// How many columns some outputs or pixels take.
export const columnsOf = (places) => new Set(places.map(({ column }) => column)).size || 1;

const computedLayers = {
  ReLU: (node, [x]) => x.map((v) => Math.max(v, 0)),
  LeakyReLU: (node, [x]) => x.map((v) => (v > 0 ? v : f32(v * node.slope))),
  ReLU6: (node, [x]) => x.map((v) => Math.min(Math.max(v, 0), 6)),
  Clip: (node, [x]) => x.map((v) => clipped(node, v)),
  PReLU(node, [x]) {
    const slope = decode(node.arrays.slope);
    return x.map((v, i) => (v > 0 ? v : f32(v * slope[i % slope.length])));
  },
  Affine(node, [x]) {
    const { scale, shift } = affineOf(node);
    return x.map((v, i) => {
      const scaled = scale ? f32(v * scale[i % scale.length]) : v;
      return shift ? f32(scaled + shift[i % shift.length]) : scaled;
    });
  },
  Multiply: (node, inputs, index) =>
    new Float32Array(count(node.shape)).map((_, i) =>
      inputs.map((x, which) => x[spreadTo(node.inputs[which], index, i)]).reduce((a, b) => f32(a * b))),
  ChannelShuffle: (node, [x], index) => x.map((_, i) => x[chosenBy(index, i)]),
  ChannelSlice: (node, [x], index) =>
    new Float32Array(count(node.shape)).map((_, i) => x[chosenBy(index, i)]),
  Scale: (node, [x]) => x.map((v) => f32(v * node.factor)),
  Dropout: (node, [x]) => x,
  Flatten: (node, [x]) => x,
  Add: (node, inputs) =>
    inputs.reduce((total, x) => total.map((v, i) => f32(v + x[i]))),
  Concat(node, inputs) {
    const width = node.shape[node.shape.length - 1];
    const output = new Float32Array(count(node.shape));
    let start = 0;
    inputs.forEach((x, which) => {
      const part = node.widths[which];
      for (let i = 0; i < x.length; i++)
        output[Math.floor(i / part) * width + start + (i % part)] = x[i];
      start += part;
    });
    return output;
  },
  BatchNorm(node, [x]) {
    const [scale, shift, mean, inverse] = ["scale", "shift", "mean", "inverse"].map((name) =>
      decode(node.arrays[name]));
    return x.map((v, i) => {
      const c = i % scale.length;
      return f32(f32(scale[c] * f32(f32(v - mean[c]) * inverse[c])) + shift[c]);
    });
  },
  MaxPool2D(node, [x], index) {
    const output = new Float32Array(count(node.shape));
    const [rows, columns, channels] = node.shape;
    const width = shapeOf(node.inputs[0])[1];
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const window = taps(index, row, column).filter((tap) => tap.inside);
        for (let c = 0; c < channels; c++) {
          let most = -Infinity;
          for (const tap of window) most = Math.max(most, x[(tap.row * width + tap.column) * channels + c]);
          output[(row * columns + column) * channels + c] = most;
        }
      }
    return output;
  },
};

const computed = new Map(); // "image node" -> values
let computedImage = null;

// All values of a node for one of the images, or null where the page does not hold them.
export function valuesOf(image, node) {
  if (!isShown(node)) return null;
  const { values, raw } = report.images[image];
  if (node in values) return decode(values[node]);
  if (image !== computedImage) computed.clear(); // values of one image at a time are enough
  computedImage = image;
  if (!computed.has(node)) {
    if (node === INPUT) computed.set(node, preprocessed(decode(raw)));
    else {
      const { inputs, type } = report.nodes[node];
      const read = inputs.map((source) => valuesOf(image, source));
      computed.set(node, computedLayers[type](report.nodes[node], read, node));
    }
  }
  return computed.get(node);
}

function preprocessed(raw) {
  const { mean, std } = report.input;
  const pixels = Float32Array.from(raw);
  if (!mean.length) return pixels;
  return pixels.map((v, i) => f32(f32(v - mean[i % mean.length]) / std[i % std.length]));
}

// The patch of the image that one value depends on: [top, bottom, left, right], or null if it reads
// padding alone.
export function patchOf(node, index) {
  if (node === INPUT) {
    const [row, column] = placeOf(INPUT, index);
    return [row, row, column, column];
  }
  let { sees: patches } = report.nodes[node];
  if ("like" in patches) ({ sees: patches } = report.nodes[patches.like]);
  const [height, width, channels] = patches.grid;
  const [row, column] = [Math.floor(index / channels / width), Math.floor(index / channels) % width];
  const kind = patches.kinds ? decode(patches.kinds)[index % channels] : 0;
  const at = (array, start, length) => [...decode(array).subarray(start * length, (start + 1) * length)];
  const [top, bottom, left, right] = patches.boxes
    ? at(patches.boxes, (kind * height + row) * width + column, 4)
    : [...at(patches.rows, kind * height + row, 2), ...at(patches.columns, kind * width + column, 2)];
  return top > bottom || left > right ? null : [top, bottom, left, right];
}

// Of which input of a Concat a value is, and where it is there: [node, index].
export function partOf(node, index) {
  const { inputs, widths } = report.nodes[node];
  const place = placeOf(node, index);
  let [channel, which] = [place[place.length - 1], 0];
  while (channel >= widths[which]) channel -= widths[which++];
  return [inputs[which], indexOf(inputs[which], [...place.slice(0, -1), channel])];
}

export function clipped(node, value) {
  const { low, high } = node.options;
  const above = low === null ? value : Math.max(value, f32(low));
  return high === null ? above : Math.min(above, f32(high));
}

export function affineOf(node) {
  const { scale, shift } = node.arrays;
  return { scale: scale && decode(scale), shift: shift && decode(shift) };
}

// Which value of an input a product has in it: along an axis of one index, that one.
export function spreadTo(source, node, index) {
  const place = placeOf(node, index);
  const [whole, shape] = [[0, 0, ...place].slice(-3), [1, 1, ...shapeOf(source)].slice(-3)];
  const [row, column, channel] = whole.map((at, axis) => Math.min(at, shape[axis] - 1));
  return (row * shape[1] + column) * shape[2] + channel;
}

// Which value of its input a layer that chooses channels hands on.
export function chosenBy(node, index) {
  const { options, type, inputs, shape } = report.nodes[node];
  const place = placeOf(node, index);
  const channel = place.pop();
  const share = shape[shape.length - 1] / options.groups;
  const from =
    type === "ChannelShuffle"
      ? (channel % options.groups) * share + Math.floor(channel / options.groups)
      : options.start + channel * options.step;
  return indexOf(inputs[0], [...place, from]);
}

// How many pixels a mean of AvgPool2D divides by.
export function counted(node, output) {
  const { counted: pads, inputs } = report.nodes[node];
  const [row, column] = placeOf(node, output);
  const [height, width] = shapeOf(inputs[0]);
  const [top, bottom, left, right] = pads;
  return taps(node, row, column).filter((tap) =>
    tap.row >= -top && tap.row < height + bottom && tap.column >= -left && tap.column < width + right).length;
}

// (x − mean) / √(variance + ε) of the channels of a pixel; `offset`: how far the mean is from 0, of which digits go.
export function normalised(pixel, eps) {
  const mean = pixel.reduce((sum, v) => sum + v, 0) / pixel.length;
  const variance = pixel.reduce((sum, v) => sum + (v - mean) ** 2, 0) / pixel.length;
  const inverse = 1 / Math.sqrt(variance + eps);
  return { mean, variance, inverse, values: pixel.map((v) => (v - mean) * inverse), offset: Math.abs(mean) * inverse };
}
