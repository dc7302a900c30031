// Pictures as rows of pixels, 0…255.

/**
 * A picture; the channels of a pixel lie beside each other, and pixels row by row.
 *
 * @typedef {object} Picture
 * @property {string} name
 * @property {number} height
 * @property {number} width
 * @property {1 | 3} channels - gray, or red, green and blue.
 * @property {Uint8Array} pixels - height · width · channels of them.
 */

/**
 * The picture in shades of gray, by ITU-R 601-2 luma as Pillow computes it, in 16 bits behind the
 * point.
 *
 * @param {Picture} picture
 * @returns {Picture}
 */
export function grayPicture(picture) {
  if (picture.channels === 1) return picture;
  const { pixels } = picture;
  const gray = new Uint8Array(pixels.length / 3);
  for (let i = 0, from = 0; i < gray.length; i++, from += 3)
    gray[i] = (pixels[from] * 19595 + pixels[from + 1] * 38470 + pixels[from + 2] * 7471 + 0x8000) >> 16;
  return { ...picture, channels: 1, pixels: gray };
}

/**
 * Red, green, blue and opacity, as a canvas has them.
 *
 * @param {Picture} picture
 * @returns {Uint8ClampedArray<ArrayBuffer>}
 */
export function rgbaOf({ channels, pixels }) {
  const count = pixels.length / channels;
  const rgba = new Uint8ClampedArray(4 * count);
  const [green, blue] = channels === 3 ? [1, 2] : [0, 0];
  for (let i = 0, from = 0, to = 0; i < count; i++, from += channels, to += 4) {
    rgba[to] = pixels[from];
    rgba[to + 1] = pixels[from + green];
    rgba[to + 2] = pixels[from + blue];
    rgba[to + 3] = 255;
  }
  return rgba;
}

/**
 * Red, green and blue of what a canvas has.
 *
 * @param {ArrayLike<number>} rgba
 * @returns {Uint8Array}
 */
export function rgbOf(rgba) {
  const pixels = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    pixels[to++] = rgba[from];
    pixels[to++] = rgba[from + 1];
    pixels[to++] = rgba[from + 2];
  }
  return pixels;
}

/**
 * The size within a bound that has the same proportions: never enlarged, at least one pixel.
 *
 * @param {number} height
 * @param {number} width
 * @param {number} most - pixels in all.
 * @returns {[height: number, width: number]}
 */
export function boundedSize(height, width, most) {
  const factor = Math.min(1, Math.sqrt(most / (height * width)));
  // A strip of a single pixel's height must not become longer than the bound.
  const scaled = (/** @type {number} */ side) => Math.min(Math.max(1, Math.floor(side * factor)), most);
  return [scaled(height), scaled(width)];
}
