// Resizing with the very numbers of Pillow: its two passes with fixed-point weights, its reduction
// by whole factors before them, and what striate/data/decode.py makes of both ("crop", "pad",
// "stretch"). An image is { width, height, channels, data }: uint8, row by row, channels last.

const PRECISION = 22; // bits behind the point of a weight

// What each of `count` pixels is a mean of, when `size` pixels from `from` to `to` become so many:
// the first pixel and the weights of a triangle as wide as an output pixel, at least as an input's.
function triangles(size, from, to, count) {
  // Pillow holds the box in 32-bit numbers.
  const start = Math.fround(from);
  const scale = Math.fround(Math.fround(to) - start) / count;
  const wide = Math.max(scale, 1);
  const found = [];
  for (let i = 0; i < count; i++) {
    const centre = start + (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - wide + 0.5), 0);
    const last = Math.min(Math.trunc(centre + wide + 0.5), size);
    const weights = new Float64Array(last - first);
    let sum = 0;
    for (let k = 0; k < weights.length; k++) {
      weights[k] = Math.max(1 - Math.abs((k + first - centre + 0.5) * (1 / wide)), 0);
      sum += weights[k];
    }
    const fixed = weights.map((weight) => (sum === 0 ? weight : weight / sum));
    found.push({ first, weights: Int32Array.from(fixed, (w) => Math.trunc(0.5 + w * 2 ** PRECISION)) });
  }
  return found;
}

// Sums never reach 2³¹: 255 times weights that add up to about 2²².
function clipped(sum) {
  const value = sum >> PRECISION;
  return value > 255 ? 255 : value;
}

function across(image, columns, top, bottom) {
  const { width, channels, data } = image;
  const made = new Uint8Array((bottom - top) * columns.length * channels);
  let to = 0;
  for (let y = top; y < bottom; y++)
    for (const { first, weights } of columns)
      for (let channel = 0; channel < channels; channel++) {
        let sum = 1 << (PRECISION - 1);
        let from = (y * width + first) * channels + channel;
        for (let k = 0; k < weights.length; k++, from += channels) sum += data[from] * weights[k];
        made[to++] = clipped(sum);
      }
  return { width: columns.length, height: bottom - top, channels, data: made };
}

function down(image, rows, top) {
  const { data } = image, line = image.width * image.channels;
  const made = new Uint8Array(rows.length * line);
  let to = 0;
  for (const { first, weights } of rows)
    for (let x = 0; x < line; x++) {
      let sum = 1 << (PRECISION - 1);
      let from = (first - top) * line + x;
      for (let k = 0; k < weights.length; k++, from += line) sum += data[from] * weights[k];
      made[to++] = clipped(sum);
    }
  return { ...image, height: rows.length, data: made };
}

// The part [left, top, right, bottom] of an image, whose sides may lie between pixels, at a size.
// Both passes round, so their order counts: `downFirst` is whether Pillow, as of 13, begins with the
// height where it loses twice as many pixels as the width.
function resized(image, width, height, downFirst, box = [0, 0, image.width, image.height]) {
  const [left, upper, right, lower] = box.map(Math.fround);
  const isWide = width !== image.width || left !== 0 || right !== width;
  const isTall = height !== image.height || upper !== 0 || lower !== height;
  const columns = isWide ? triangles(image.width, box[0], box[2], width) : [];
  const rows = triangles(image.height, box[1], box[3], height);
  const lost = image.height - height;
  if (isWide && isTall && downFirst && lost > 0 && lost > 2 * (image.width - width))
    return across(down(image, rows, 0), columns, 0, height);
  const top = isWide ? rows[0].first : 0, last = rows[height - 1];
  const found = isWide ? across(image, columns, top, last.first + last.weights.length) : image;
  return isTall ? down(found, rows, top) : found;
}

// Means of blocks of pixels; those at the far edges may be smaller.
function reduced(image, across, down) {
  const { channels } = image;
  const width = Math.ceil(image.width / across), height = Math.ceil(image.height / down);
  const data = new Uint8Array(width * height * channels);
  for (let y = 0, to = 0; y < height; y++) {
    const bottom = Math.min((y + 1) * down, image.height);
    for (let x = 0; x < width; x++) {
      const right = Math.min((x + 1) * across, image.width);
      const pixels = (bottom - y * down) * (right - x * across);
      // A division by a multiplication in 32 bits, as Pillow does it.
      const factor = Math.trunc(Math.fround(2 ** 32 / (256 * pixels)));
      for (let channel = 0; channel < channels; channel++) {
        let sum = Math.trunc(pixels / 2);
        for (let row = y * down; row < bottom; row++)
          for (let column = x * across; column < right; column++)
            sum += image.data[(row * image.width + column) * channels + channel];
        data[to++] = Math.imul(sum, factor) >>> 24;
      }
    }
  }
  return { width, height, channels, data };
}

// At a size; much larger images are reduced first, to three times the size or more.
function resizedInSteps(image, width, height, downFirst) {
  if (image.width === width && image.height === height) return image;
  const factors = [image.width / width, image.height / height].map((f) => Math.trunc(f / 3) || 1);
  if (factors[0] === 1 && factors[1] === 1) return resized(image, width, height, downFirst);
  const box = [0, 0, image.width / factors[0], image.height / factors[1]];
  return resized(reduced(image, ...factors), width, height, downFirst, box);
}

// The part of an image with the proportions of width × height, as large as there is, at that size.
function cropped(image, width, height, downFirst) {
  const wanted = width / height, given = image.width / image.height;
  const wide = given > wanted ? wanted * image.height : image.width;
  const tall = given < wanted ? image.width / wanted : image.height;
  const left = (image.width - wide) * 0.5, top = (image.height - tall) * 0.5;
  return resized(image, width, height, downFirst, [left, top, left + wide, top + tall]);
}

// All of an image in width × height, with black beside it.
function padded(image, width, height, downFirst) {
  const scale = Math.min(height / image.height, width / image.width);
  const wide = Math.max(1, halfToEven(image.width * scale));
  const tall = Math.max(1, halfToEven(image.height * scale));
  const small = resizedInSteps(image, wide, tall, downFirst);
  const whole = { width, height, channels: image.channels, data: new Uint8Array(width * height * image.channels) };
  const left = Math.floor((width - wide) / 2), top = Math.floor((height - tall) / 2);
  for (let y = 0; y < tall; y++) {
    const line = wide * image.channels;
    whole.data.set(small.data.subarray(y * line, (y + 1) * line), ((top + y) * width + left) * image.channels);
  }
  return whole;
}

function part(image, left, top, width, height) {
  const { channels } = image, line = width * channels;
  const data = new Uint8Array(height * line);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * channels;
    data.set(image.data.subarray(from, from + line), y * line);
  }
  return { width, height, channels, data };
}

// `wanted`: { width, height, mode, cutFrom, downFirst }: `cutFrom` is the [height, width] that the
// image gets first, to have the centre cut out of it, or null.
function fitted(image, wanted) {
  const { width, height, mode, cutFrom, downFirst } = wanted;
  if (cutFrom) {
    const larger = fitted(image, { ...wanted, width: cutFrom[1], height: cutFrom[0], cutFrom: null });
    return part(larger, Math.floor((cutFrom[1] - width) / 2), Math.floor((cutFrom[0] - height) / 2), width, height);
  }
  if (image.width === width && image.height === height) return image;
  const fit = { crop: cropped, pad: padded, stretch: resizedInSteps }[mode];
  return fit(image, width, height, downFirst);
}

function halfToEven(value) {
  const low = Math.floor(value), rest = value - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}
