// Which outputs of a layer read one value of its input, and how much each moves with it.
//
// readingsOf(image, node, which, index): for the value `index` of the input `which` of a node, a list
// of parts, one for each channel of the output or one for all, {source: node, channel, columns, terms},
// with terms: [{index, factor, size, at}]: the place of the output; ∂output/∂value, computed when it
// is called; what rounding of the factor goes by, where that is more than the factor; and the place
// of the weight that the factor is, among the node's `weights`.

import { outputsOver, tapsOf } from "../../lab/web/maths/network/windows.js";
import { winnerOf } from "./gradients.js";
import { affineOf, chosenBy, columnsOf, count, counted, decode, indexOf, normalised, placeOf, report, shapeOf, valuesOf } from "./values.js";

export function readingsOf(image, node, which, index) {
  const layer = report.nodes[node];
  const how = readings[layer.type];
  if (!how) return null;
  const source = layer.inputs[which];
  const about = {
    image, node, layer, which, index, source,
    x: (input = which) => valuesOf(image, layer.inputs[input]),
    y: () => valuesOf(image, node),
    array: (name) => decode(layer.arrays[name]),
  };
  return how(about).map((part) => ({ source: node, ...part }));
}

const one = () => 1;

// A layer whose output at a place reads one value of the input, the same place unless said otherwise.
function single(factor, says, size) {
  return (about) => [{ says, terms: [{ index: about.index, factor: () => factor(about), size }] }];
}

// Activations that are curves: their derivatives lose digits where they are differences.
const curve = (factor, says) => single(factor, says, 2);

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const ofChannel = (array, index) => array[index % array.length];

export const readings = {
  Conv2D: (about) => windowReadings(about, "filters", () => 0),
  // A Conv2D with filters of its own at each position.
  LocallyConnected2D(about) {
    const { layer } = about;
    const each = count(layer.weightShapes.weights) / (layer.shape[0] * layer.shape[1]);
    return windowReadings(about, "weights", (position) => position * each);
  },
  ConvTranspose2D({ layer, node, source, index, array }) {
    const [row, column, channel] = placeOf(source, index);
    const [, width, filters] = layer.shape;
    const channels = shapeOf(source)[2];
    const share = filters / layer.groups;
    const first = Math.floor(channel / (channels / layer.groups)) * share;
    const window = tapsOf(layer.window, layer.shape, row, column).filter(({ inside }) => inside);
    return [...Array(share).keys()].map((k) => ({
      channel: first + k, weights: { node, name: "filters" }, columns: columnsOf(window),
      terms: window.map(({ tap, row: y, column: x }) => {
        const at = (tap * share + k) * channels + channel;
        return { index: (y * width + x) * filters + first + k, at, factor: () => array("filters")[at] };
      }),
    }));
  },
  Dense({ layer, node, index, array }) {
    const [units] = layer.shape;
    const columns = layer.weightShapes.weights[1]; // in a GroupedDense successive units share one
    return [{
      weights: { node, name: "weights" },
      terms: [...Array(units).keys()].map((unit) => {
        const at = index * columns + Math.floor(unit / (units / columns));
        return { index: unit, at, factor: () => array("weights")[at] };
      }),
    }];
  },
  GroupedDense: (about) => readings.Dense(about),
  SumPool2D: (about) => poolReadings(about, "1 for each pixel of the window", () => one),
  AvgPool2D: (about) => poolReadings(about, "1 divided by the pixels of the window", (output) => () => 1 / counted(about.node, output)),
  MaxPool2D: (about) => poolReadings(about, "1 for the first of the largest in its window, 0 for the others", (output) => () => Number(winnerOf(about.node, output, about.x()) === about.index)),
  GlobalAvgPool2D({ layer, source, index }) {
    const [height, width, channels] = shapeOf(source);
    return [{ says: `the mean of ${height * width} values`, terms: [{ index: index % channels, factor: () => 1 / (height * width) }] }];
  },
  GlobalMaxPool2D({ source, index, x }) {
    const channels = shapeOf(source)[2];
    const winner = () => {
      let best = index % channels;
      for (let i = best; i < x().length; i += channels) if (x()[i] > x()[best]) best = i;
      return best;
    };
    return [{ says: "1 for the first of the largest in its channel, 0 for the others", terms: [{ index: index % channels, factor: () => Number(winner() === index) }] }];
  },
  ZeroPad2D: (about) => movedReadings(about),
  Crop2D: (about) => movedReadings(about),
  Add: ({ index }) => [{ terms: [{ index, factor: one }] }],
  Multiply({ layer, node, source, which, index, x }) {
    const own = [1, 1, ...shapeOf(source)].slice(-3), whole = [1, 1, ...layer.shape].slice(-3);
    const place = [Math.floor(index / own[2] / own[1]), Math.floor(index / own[2]) % own[1], index % own[2]];
    // Along an axis of one index it is spread over all outputs.
    const axes = whole.map((extent, axis) => (own[axis] === extent ? [place[axis]] : [...Array(extent).keys()]));
    const terms = axes[0].flatMap((row) => axes[1].flatMap((column) => axes[2].map((channel) => {
      const at = (input) => {
        const shape = [1, 1, ...shapeOf(layer.inputs[input])].slice(-3);
        const [y, x_, c] = [row, column, channel].map((i, axis) => Math.min(i, shape[axis] - 1));
        return (y * shape[1] + x_) * shape[2] + c;
      };
      return {
        index: (row * whole[1] + column) * whole[2] + channel,
        factor: () => layer.inputs.reduce((product, _, input) => (input === which ? product : product * x(input)[at(input)]), 1),
      };
    })));
    return [{ says: "the product of the other inputs", terms }];
  },
  Concat({ layer, node, source, which, index }) {
    const place = placeOf(source, index);
    place[place.length - 1] += layer.widths.slice(0, which).reduce((sum, width) => sum + width, 0);
    return [{ says: "handed on as it is", terms: [{ index: indexOf(node, place), factor: one }] }];
  },
  ChannelShuffle({ layer, node, source, index }) {
    const place = placeOf(source, index);
    const channels = layer.shape[layer.shape.length - 1];
    const terms = [...Array(channels).keys()]
      .map((channel) => indexOf(node, [...place.slice(0, -1), channel]))
      .filter((output) => chosenBy(node, output) === index)
      .map((output) => ({ index: output, factor: one }));
    return [{ says: "handed on as it is", terms }];
  },
  ChannelSlice: (about) => readings.ChannelShuffle(about),
  Flatten: single(one, "handed on as it is"),
  Dropout: single(one, "handed on as it is: dropout is off here, as in prediction"),
  Scale: single(({ layer }) => layer.factor, "the factor"),
  BatchNorm: single(({ array, index }) => ofChannel(array("scale"), index) * ofChannel(array("inverse"), index),
    "scale · 1/√(variance + ε), with the running averages: as in prediction, where mean and variance are constants"),
  Affine: single(({ layer, index }) => (affineOf(layer).scale ? ofChannel(affineOf(layer).scale, index) : 1), "the scale"),
  ReLU: single(({ y, index }) => Number(y()[index] > 0), "1 where the output is above 0, else 0"),
  ReLU6: single(({ y, index }) => Number(y()[index] > 0 && y()[index] < 6), "1 where the output is between 0 and 6, else 0"),
  Clip: single(({ x, y, index }) => Number(x()[index] === y()[index]), "1 between the bounds, else 0"),
  LeakyReLU: single(({ layer, x, index }) => (x()[index] > 0 ? 1 : layer.slope), "1 where x is above 0, else the slope"),
  PReLU: single(({ array, x, index }) => (x()[index] > 0 ? 1 : ofChannel(array("slope"), index)), "1 where x is above 0, else the slope"),
  HardSigmoid: single(({ layer, y, index }) => (y()[index] > 0 && y()[index] < 1 ? layer.options.slope : 0), "the slope where the output is between 0 and 1, else 0"),
  Sigmoid: curve(({ y, index }) => y()[index] * (1 - y()[index]), "y · (1 − y)"),
  Tanh: curve(({ y, index }) => 1 - y()[index] ** 2, "1 − y²"),
  ELU: curve(({ layer, x, index }) => (x()[index] > 0 ? 1 : layer.options.alpha * Math.exp(x()[index])), "1 where x is above 0, else alpha · exp(x)"),
  SiLU: curve(({ x, index }) => sigmoid(x()[index]) * (1 + x()[index] * sigmoid(-x()[index])), "s · (1 + x · (1 − s)) with s = 1 / (1 + exp(−x))"),
  HardSwish: curve(({ x, index }) => (x()[index] <= -3 ? 0 : x()[index] < 3 ? x()[index] / 3 + 0.5 : 1), "x/3 + 1/2 between −3 and 3"),
  Mish: curve(({ x, index }) => {
    const v = x()[index];
    const t = Math.tanh(Math.log1p(Math.exp(v)));
    return v > 40 ? 1 : t + v * (1 - t * t) * sigmoid(v);
  }, "t + x · (1 − t²) / (1 + exp(−x)) with t = tanh(log(1 + exp(x)))"),
  GELU: curve(({ layer, x, y, index }) => {
    const v = x()[index];
    if (layer.options.approximate === "tanh") {
      const u = Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3), t = Math.tanh(u);
      return (1 + t) / 2 + (v * (1 - t * t) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * v * v)) / 2;
    }
    // The output is x times the probability that a normal number is below x.
    const below = v === 0 ? 0.5 : y()[index] / v;
    return below + (v * Math.exp((-v * v) / 2)) / Math.sqrt(2 * Math.PI);
  }, "what x is multiplied by, plus x times its derivative"),
  LayerNorm({ layer, index, x, array }) {
    const channels = layer.shape[layer.shape.length - 1];
    const first = index - (index % channels);
    const normal = () => normalised([...x().subarray(first, first + channels)], layer.options.eps);
    const shared = (output) => {
      const { values, inverse, offset } = normal();
      const [i, j] = [index - first, output - first];
      return { scaled: array("scale")[j] * inverse, own: Number(i === j), product: values[i] * values[j], offset };
    };
    const says = `scale · (1 for its own channel − 1/${channels} − normal · normal′/${channels}) / √(variance + ε): all channels of the pixel share mean and variance`;
    return [{
      says,
      terms: [...Array(channels).keys()].map((c) => ({
        index: first + c,
        factor() {
          const { scaled, own, product } = shared(first + c);
          return scaled * (own - (1 + product) / channels);
        },
        size() {
          const { scaled, own, product, offset } = shared(first + c);
          return Math.abs(scaled) * (own + (1 + Math.abs(product)) / channels) * (2 + offset);
        },
      })),
    }];
  },
  LRN({ layer, index, x }) {
    const { size, alpha, beta, bias } = layer.options;
    const channels = layer.shape[layer.shape.length - 1];
    const first = index - (index % channels), c = index - first;
    const [before, after] = [Math.floor((size - 1) / 2), Math.floor(size / 2)];
    const denominator = (channel) => {
      const [from, stop] = [Math.max(channel - before, 0), Math.min(channel + after + 1, channels)];
      return bias + (alpha / size) * x().subarray(first + from, first + stop).reduce((sum, v) => sum + v * v, 0);
    };
    const outputs = [];
    for (let j = Math.max(c - after, 0); j <= Math.min(c + before, channels - 1); j++) outputs.push(j);
    const parts = (j) => {
      const d = denominator(j), power = d ** -beta;
      return [j === c ? power : 0, ((2 * alpha * beta) / size) * x()[first + j] * x()[index] * (power / d)];
    };
    return [{
      says: "d^(−beta) for its own channel, minus 2 · alpha · beta/size · x · x′ · d^(−beta − 1), d being the denominator",
      terms: outputs.map((j) => ({
        index: first + j,
        factor: () => parts(j)[0] - parts(j)[1],
        size: () => 2 * (Math.abs(parts(j)[0]) + Math.abs(parts(j)[1])),
      })),
    }];
  },
};

// What is read by windows, with a weight of its own for each filter of its group.
function windowReadings({ layer, node, source, index, array }, name, start) {
  const [row, column, channel] = placeOf(source, index);
  const [, width, filters] = layer.shape;
  const depth = shapeOf(source)[2] / layer.groups;
  const share = filters / layer.groups;
  const first = Math.floor(channel / depth) * share;
  const over = outputsOver(layer.window, layer.shape, row, column);
  return [...Array(share).keys()].map((k) => ({
    channel: first + k, weights: { node, name }, columns: columnsOf(over),
    terms: over.map(({ tap, row: y, column: x }) => {
      const at = start(y * width + x) + (tap * depth + (channel % depth)) * filters + first + k;
      return { index: (y * width + x) * filters + first + k, at, factor: () => array(name)[at] };
    }),
  }));
}

function poolReadings({ layer, source, index }, says, factorOf) {
  const [row, column, channel] = placeOf(source, index);
  const [, width, channels] = layer.shape;
  const over = outputsOver(layer.window, layer.shape, row, column);
  return [{
    channel, says, columns: columnsOf(over),
    terms: over.map(({ row: y, column: x }) => {
      const output = (y * width + x) * channels + channel;
      return { index: output, factor: factorOf(output) };
    }),
  }];
}

function movedReadings({ layer, node, source, index }) {
  const [row, column, channel] = placeOf(source, index);
  const { pads } = layer.window;
  const [y, x] = [row + pads[0], column + pads[2]];
  const inside = y >= 0 && y < layer.shape[0] && x >= 0 && x < layer.shape[1];
  return [{ says: "handed on as it is", terms: inside ? [{ index: indexOf(node, [y, x, channel]), factor: one }] : [] }];
}
