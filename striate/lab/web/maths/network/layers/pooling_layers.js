// Pooling: the largest or the mean of each window, by channels; and Flatten.

import { count } from "../description.js";
import { averagedPixels, windowTable } from "./window_table.js";

/**
 * The first largest pixel of each window; `notes` has the input's place of each.
 *
 * @type {import("./layer_pass.js").LayerKind}
 */
export const maxPool2d = {
  beforeForward(pass) {
    pass.notes = new Int32Array(pass.y.length);
  },
  forward({ layer, from, x, y, notes }, image) {
    const channels = from[2], first = image * count(from), { starts, places } = windowTable(layer, from);
    for (let place = 0, out = image * count(layer.shape); place < starts.length - 1; place++)
      for (let c = 0; c < channels; c++, out++) {
        let best = -1;
        for (let t = starts[place]; t < starts[place + 1]; t++) {
          const input = first + places[t] * channels + c;
          if (best < 0 || x[input] > x[best]) best = input;
        }
        notes[out] = best;
        y[out] = x[best];
      }
  },
  backward({ layer, above, below, notes }, image) {
    const outputs = count(layer.shape);
    for (let out = image * outputs; out < (image + 1) * outputs; out++) below[notes[out]] += above[out];
  },
};

/**
 * The mean of each window; that of the whole image is one window. `notes` has 1/pixels of each place.
 *
 * @type {import("./layer_pass.js").LayerKind}
 */
export const averagePool2d = {
  beforeForward(pass) {
    const places = windowTable(pass.layer, pass.from).starts.length - 1;
    pass.notes = Float64Array.from({ length: places }, (_, place) => 1 / averagedPixels(pass.layer, pass.from, place));
  },
  forward({ layer, from, x, y, notes }, image) {
    const channels = from[2], first = image * count(from), { starts, places } = windowTable(layer, from);
    for (let place = 0, out = image * count(layer.shape); place < starts.length - 1; place++)
      for (let c = 0; c < channels; c++, out++) {
        let sum = 0;
        for (let t = starts[place]; t < starts[place + 1]; t++) sum += x[first + places[t] * channels + c];
        y[out] = sum * notes[place];
      }
  },
  backward({ layer, from, above, below, notes }, image) {
    const channels = from[2], first = image * count(from), { starts, places } = windowTable(layer, from);
    for (let place = 0, out = image * count(layer.shape); place < starts.length - 1; place++)
      for (let c = 0; c < channels; c++, out++) {
        const share = above[out] * notes[place];
        for (let t = starts[place]; t < starts[place + 1]; t++) below[first + places[t] * channels + c] += share;
      }
  },
};

/** The same numbers in a row. @type {import("./layer_pass.js").LayerKind} */
export const flatten = {
  forward({ layer, x, y }, image) {
    const size = count(layer.shape);
    y.set(x.subarray(image * size, (image + 1) * size), image * size);
  },
  backward({ layer, above, below }, image) {
    const size = count(layer.shape);
    for (let i = image * size; i < (image + 1) * size; i++) below[i] += above[i];
  },
};
