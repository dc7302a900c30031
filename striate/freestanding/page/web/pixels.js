// From decoded pixels to the image that the network reads, as striate/data/decode.py does it.

const CONTRAST = 32; // how far from white something visible is

// One layer over an opaque ground of one value, by Pillow's whole-number arithmetic.
function overGround(colour, alpha, ground) {
  if (alpha === 0) return ground;
  const share = Math.floor((alpha * 255 * 255 * 128) / (alpha * 255 + 255 * (255 - alpha)));
  const sum = colour * share + ground * (255 * 128 - share) + (128 << 7);
  return (((sum >>> 8) + sum) >>> 8) >>> 7;
}

function laidOver(image, ground) {
  const pixels = image.width * image.height, data = new Uint8Array(3 * pixels);
  for (let i = 0; i < pixels; i++)
    for (let channel = 0; channel < 3; channel++)
      data[3 * i + channel] = overGround(image.data[4 * i + channel], image.data[4 * i + 3], ground);
  return { ...image, channels: 3, data };
}

function withoutFourth(image) {
  const data = new Uint8Array(3 * image.width * image.height);
  for (let i = 0, to = 0; to < data.length; i += 4) {
    data[to++] = image.data[i];
    data[to++] = image.data[i + 1];
    data[to++] = image.data[i + 2];
  }
  return { ...image, channels: 3, data };
}

// What is to be seen of an image of red, green, blue and alpha: over white, or over black where
// white shows nothing; alpha that hides everything is passed over.
function opaque(image) {
  let least = 255, most = 0;
  for (let i = 3; i < image.data.length; i += 4) {
    least = Math.min(least, image.data[i]);
    most = Math.max(most, image.data[i]);
  }
  if (least === 255 || most === 0) return withoutFourth(image);
  const white = laidOver(image, 255);
  let darkest = 255;
  for (const value of white.data) if (value < darkest) darkest = value;
  return darkest > 255 - CONTRAST && least < 255 - CONTRAST ? laidOver(image, 0) : white;
}

// Turned as the EXIF orientation, 1…8, says.
function upright(image, orientation) {
  if (!(orientation > 1 && orientation <= 8)) return image;
  const { channels, data } = image, swap = orientation > 4;
  const width = swap ? image.height : image.width, height = swap ? image.width : image.height;
  const flipDown = [3, 4, 7, 8].includes(orientation), flipAcross = [2, 3, 6, 7].includes(orientation);
  const made = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const v = flipDown ? height - 1 - y : y, u = flipAcross ? width - 1 - x : x;
      const from = (swap ? u * image.width + v : v * image.width + u) * channels;
      for (let channel = 0; channel < channels; channel++) made[to++] = data[from + channel];
    }
  return { width, height, channels, data: made };
}

// `channels` of 1 or 3 become 1 (by ITU-R 601-2, in 16 bits behind the point) or 3.
function recoloured(image, channels) {
  if (image.channels === channels) return image;
  const pixels = image.width * image.height, data = new Uint8Array(pixels * channels);
  for (let i = 0; i < pixels; i++)
    if (channels === 1) {
      const [red, green, blue] = image.data.subarray(3 * i, 3 * i + 3);
      data[i] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
    } else data.fill(image.data[i], 3 * i, 3 * i + 3);
  return { ...image, channels, data };
}

// What is to be seen of a picture: upright, of 1 or 3 channels. `decoded` may have 4 and an
// orientation.
function plainOf(decoded) {
  return upright(decoded.channels === 4 ? opaque(decoded) : decoded, decoded.orientation ?? 1);
}

// The image that the network reads; `wanted`: { width, height, channels, mode, cutFrom, downFirst }.
const prepared = (plain, wanted) => recoloured(fitted(drafted(plain, wanted), wanted), wanted.channels);

const TURNED_BACK = [1, 1, 2, 3, 4, 5, 8, 7, 6]; // the orientations that undo others

// Pillow decodes JPEG at a half, a quarter or an eighth where that has twice the pixels that are
// needed. Browsers decode all of it; means of blocks of its pixels, as they are stored, are nearly
// the same. `jpegTurn` is the orientation of JPEG, 0 of other kinds.
function drafted(image, { width, height, cutFrom }) {
  const [tall, wide] = cutFrom ?? [height, width];
  if (!image.jpegTurn || (image.height === tall && image.width === wide)) return image;
  const most = Math.min(Math.floor(image.width / (2 * wide)), Math.floor(image.height / (2 * tall)));
  const factor = [8, 4, 2].find((one) => most >= one);
  if (!factor) return image;
  const stored = upright(image, TURNED_BACK[image.jpegTurn]);
  return upright(reduced(stored, factor, factor), image.jpegTurn);
}

// The numbers that the network is given: pixels, of which `maximum` is white.
function networkInput(image, maximum) {
  const factor = Math.fround(maximum / 255);
  return maximum === 255 ? Float32Array.from(image.data) : Float32Array.from(image.data, (v) => v * factor);
}
