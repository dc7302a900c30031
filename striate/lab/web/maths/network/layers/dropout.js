// Dropout (Srivastava et al., 2014): in training random values become 0, the others 1/(1 - rate) as large.
//
// Which ones follows from the image's key, the layer and the place alone, as in
// striate/common/random_bits.py.

import { count } from "../description.js";

/**
 * 32 random bits of a place: the finaliser of MurmurHash3 (Austin Appleby, public domain).
 *
 * @param {number} key - of the image.
 * @param {number} salt - the layer's index in the network.
 * @param {number} place
 */
export function randomBits(key, salt, place) {
  let bits = key ^ (Math.imul(place, 0x9e3779b9) + Math.imul(salt, 0x85ebca6b));
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/**
 * `notes` has the factor of each value, 0 or 1/(1 - rate); null where nothing is dropped.
 *
 * @type {import("./layer_pass.js").LayerKind}
 */
export const dropout = {
  beforeForward(pass) {
    const { rate = 0 } = pass.layer.options;
    pass.notes = pass.training && rate > 0 ? new Float64Array(pass.y.length) : null;
  },
  forward({ layer, index, x, y, keys, notes }, image) {
    const size = count(layer.shape), { rate = 0 } = layer.options, first = image * size;
    const threshold = Math.min(Math.round(rate * 2 ** 32), 2 ** 32 - 1);
    for (let i = 0; i < size; i++) {
      if (notes) notes[first + i] = randomBits(keys[image], index, i) < threshold ? 0 : 1 / (1 - rate);
      y[first + i] = x[first + i] * (notes ? notes[first + i] : 1);
    }
  },
  backward({ layer, above, below, notes }, image) {
    const size = count(layer.shape);
    for (let i = image * size; i < (image + 1) * size; i++) below[i] += above[i] * (notes ? notes[i] : 1);
  },
};
