// The numbers of the report, and the values of every layer: as they are in the page or computed
// from others, in float32 and in the order of the layers' own code, so that each bit is the same.

const report = JSON.parse(document.getElementById("report-data").textContent);
const INPUT = -1;
const f32 = Math.fround;

function decode(array) {
  if (array.numbers) return array.numbers;
  const text = atob(array.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  if (array.type === "u1") return (array.numbers = bytes);
  // Little-endian in the page, whatever the machine is.
  const view = new DataView(bytes.buffer);
  const floats = new Float32Array(bytes.length / 4);
  for (let i = 0; i < floats.length; i++) floats[i] = view.getFloat32(4 * i, true);
  array.data = null;
  return (array.numbers = floats);
}

const nodeName = (node) => (node === INPUT ? "input" : report.nodes[node].name);
const shapeOf = (node) => (node === INPUT ? report.input.shape : report.nodes[node].shape);
const isShown = (node) => node === INPUT || report.nodes[node].shown;
const isImage = (node) => shapeOf(node).length === 3;
const count = (shape) => shape.reduce((a, b) => a * b, 1);

// A value's place: [row, column, channel] of an image, [feature] of a vector.
function placeOf(node, index) {
  const [, width, channels] = shapeOf(node);
  if (!isImage(node)) return [index];
  return [Math.floor(index / channels / width), Math.floor(index / channels) % width, index % channels];
}

function indexOf(node, place) {
  const [, width, channels] = shapeOf(node);
  return isImage(node) ? (place[0] * width + place[1]) * channels + place[2] : place[0];
}

// The taps that one output of a window layer reads of one channel: [{tap, row, column, inside}].
function taps(node, row, column) {
  const { size, stride, dilation, pads } = report.nodes[node].window;
  const [height, width] = shapeOf(report.nodes[node].inputs[0]);
  const found = [];
  for (let r = 0; r < size[0]; r++)
    for (let s = 0; s < size[1]; s++) {
      const y = row * stride[0] + r * dilation[0] - pads[0];
      const x = column * stride[1] + s * dilation[1] - pads[2];
      const inside = y >= 0 && y < height && x >= 0 && x < width;
      found.push({ tap: r * size[1] + s, row: y, column: x, inside });
    }
  return found;
}

const computedLayers = {
  ReLU: (node, [x]) => x.map((v) => Math.max(v, 0)),
  LeakyReLU: (node, [x]) => x.map((v) => (v > 0 ? v : f32(v * node.slope))),
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
function valuesOf(image, node) {
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

// Layers whose value at a place is made of the values at that place, and windows over one channel.
const isSingle = (type) => type in computedLayers ? type !== "MaxPool2D" : ["Sigmoid", "Tanh"].includes(type);
const isPool = (type) => ["MaxPool2D", "AvgPool2D", "SumPool2D"].includes(type);

// What a block [top, bottom, left, right, first channel, last channel] of a node reads of the
// input: rows and columns [top, bottom, left, right], exactly. What would lie in the padding of a
// layer on the way is no part of it. Null where all of it is padding.
function reach(node, block) {
  const blocks = new Map([[node, block]]);
  // A node is read by later ones only, so its block is complete when its turn comes.
  for (let at = node; at >= 0; at--)
    if (blocks.get(at))
      for (const [source, part] of sourceBlocks(report.nodes[at], blocks.get(at)))
        blocks.set(source, around(blocks.get(source), part));
  return blocks.get(INPUT)?.slice(0, 4) ?? null;
}

// The smallest block that holds two, either of which may be missing.
function around(one, other) {
  if (!one || !other) return one || other;
  return one.map((at, side) => (side % 2 ? Math.max : Math.min)(at, other[side]));
}

// Of each input [node, block that is read or null].
function sourceBlocks({ inputs, window, shape, type, groups, widths }, block) {
  let start = 0;
  return inputs.map((source, which) => {
    const from = shapeOf(source);
    if (from.length !== 3) return [source, [0, 0, 0, 0, 0, 0]]; // it reads whole images anyway
    const [height, width, channels] = from;
    const whole = [0, height - 1, 0, width - 1];
    let [first, last] = block.slice(4);
    if (type === "GlobalAvgPool2D") return [source, [...whole, first, last]];
    if (widths) {
      [first, last] = [Math.max(first - start, 0), Math.min(last - start, widths[which] - 1)];
      start += widths[which];
      if (first > last) return [source, null];
    } else if (groups) {
      const [each, depth] = [shape[2] / groups, channels / groups];
      [first, last] = [Math.floor(first / each) * depth, (Math.floor(last / each) + 1) * depth - 1];
    } else if (shape.length !== 3 || !(isSingle(type) || isPool(type))) [first, last] = [0, channels - 1];
    if (window) {
      const lines = windowLines(window, block, from);
      return [source, lines && [...lines, first, last]];
    }
    return [source, [...(shape.length === 3 && isSingle(type) ? block.slice(0, 4) : whole), first, last]];
  });
}

function windowLines({ size, stride, dilation, pads }, block, shape) {
  const lines = [];
  for (const axis of [0, 1]) {
    let [first, last] = [Infinity, -Infinity];
    for (let at = block[2 * axis]; at <= block[2 * axis + 1]; at++)
      for (let tap = 0; tap < size[axis]; tap++) {
        const line = at * stride[axis] + tap * dilation[axis] - pads[2 * axis];
        if (line < 0 || line >= shape[axis]) continue;
        [first, last] = [Math.min(first, line), Math.max(last, line)];
      }
    if (first > last) return null;
    lines.push(first, last);
  }
  return lines;
}

// The patch of the image that one value depends on: [top, bottom, left, right], or null.
function patchOf(node, index) {
  const place = placeOf(node, index);
  if (isImage(node)) return reach(node, [place[0], place[0], place[1], place[1], place[2], place[2]]);
  const { type, inputs, widths } = report.nodes[node];
  if (!isSingle(type)) return reach(node, [0, 0, 0, 0, index, index]);
  if (widths) return patchOf(...partOf(node, index));
  // A flattened value, and what a layer of single values made of it, are still one pixel's.
  return inputs.map((source) => patchOf(source, index)).reduce(around);
}

// Of which input of a Concat a value is, and where it is there: [node, index].
function partOf(node, index) {
  const { inputs, widths } = report.nodes[node];
  const place = placeOf(node, index);
  let [channel, which] = [place[place.length - 1], 0];
  while (channel >= widths[which]) channel -= widths[which++];
  return [inputs[which], indexOf(inputs[which], [...place.slice(0, -1), channel])];
}
