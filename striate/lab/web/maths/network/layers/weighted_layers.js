// Convolution and the dense layer: sums of input · weight (article 003, forward and backward).

import { asImage, count, parts, windowOf } from "../description.js";
import { windowTable } from "./window_table.js";

/** @typedef {import("./layer_pass.js").LayerPass} LayerPass */
/** @typedef {import("../description.js").Place} Place */

/**
 * Convolution; filters are not flipped. Of `groups`, each filter reads the channels of its own.
 *
 * @type {import("./layer_pass.js").LayerKind}
 */
export const conv2d = {
  forward({ layer, from, x, y, state }, image) {
    const { filters, bias, made, channels, each, share, starts, taps, places } = sizesOf(layer, from);
    const first = image * count(from);
    for (let place = 0, out = image * count(layer.shape); place < starts.length - 1; place++, out += made) {
      for (let k = 0; k < made; k++) y[out + k] = bias ? state[bias.start + k] : 0;
      for (let t = starts[place]; t < starts[place + 1]; t++) {
        const pixel = first + places[t] * channels, tap = filters.start + taps[t] * each * made;
        for (let c = 0; c < channels; c++) {
          const value = x[pixel + c], group = Math.floor(c / each), row = tap + (c - group * each) * made;
          for (let k = group * share; k < (group + 1) * share; k++) y[out + k] += value * state[row + k];
        }
      }
    }
  },
  backward({ layer, from, x, above, below, state, gradient }, image) {
    const { filters, bias, made, channels, each, share, starts, taps, places } = sizesOf(layer, from);
    const first = image * count(from);
    for (let place = 0, out = image * count(layer.shape); place < starts.length - 1; place++, out += made) {
      if (bias) for (let k = 0; k < made; k++) gradient[bias.start + k] += above[out + k];
      for (let t = starts[place]; t < starts[place + 1]; t++) {
        const pixel = first + places[t] * channels, tap = filters.start + taps[t] * each * made;
        for (let c = 0; c < channels; c++) {
          const value = x[pixel + c], group = Math.floor(c / each), row = tap + (c - group * each) * made;
          let sum = 0;
          for (let k = group * share; k < (group + 1) * share; k++) {
            const arriving = above[out + k];
            sum += arriving * state[row + k];
            gradient[row + k] += arriving * value;
          }
          below[pixel + c] += sum;
        }
      }
    }
  },
};

/** @type {import("./layer_pass.js").LayerKind} */
export const dense = {
  forward({ layer, from, x, y, state }, image) {
    const { filters, bias } = placesOf(layer), units = layer.shape[0], first = image * from[0], out = image * units;
    for (let o = 0; o < units; o++) y[out + o] = bias ? state[bias.start + o] : 0;
    for (let i = 0; i < from[0]; i++) {
      const value = x[first + i], row = filters.start + i * units;
      for (let o = 0; o < units; o++) y[out + o] += value * state[row + o];
    }
  },
  backward({ layer, from, x, above, below, state, gradient }, image) {
    const { filters, bias } = placesOf(layer), units = layer.shape[0], first = image * from[0], out = image * units;
    if (bias) for (let o = 0; o < units; o++) gradient[bias.start + o] += above[out + o];
    for (let i = 0; i < from[0]; i++) {
      const value = x[first + i], row = filters.start + i * units;
      let sum = 0;
      for (let o = 0; o < units; o++) {
        sum += above[out + o] * state[row + o];
        gradient[row + o] += above[out + o] * value;
      }
      below[first + i] += sum;
    }
  },
};

/** @param {import("../description.js").Layer} layer @returns {{filters: Place, bias: Place | undefined}} */
function placesOf(layer) {
  return parts(layer);
}

/** @param {import("../description.js").Layer} layer @param {readonly number[]} from */
function sizesOf(layer, from) {
  const made = asImage(layer.shape)[2], channels = from[2], { groups } = windowOf(layer);
  return { ...placesOf(layer), ...windowTable(layer, from), made, channels, each: channels / groups, share: made / groups };
}
