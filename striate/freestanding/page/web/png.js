// Decodes PNG to the numbers that Pillow reads. Browsers decode it too, but they multiply colours
// by alpha, bring them to the screen's profile and show of 16 bits only 8.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }; // of a pixel, by the kind of colour
// Interlaced images are seven smaller ones: [first column, first row, column step, row step].
const WHOLE = [[0, 0, 1, 1]];
const PASSES = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const ORIENTATION = 0x0112; // the EXIF tag

const isPng = (bytes) => SIGNATURE.every((value, i) => bytes[i] === value);

// { width, height, channels: 3 or 4 or 1, data, orientation }; `white` is that value of 16 bits.
// Throws an Error with a clause on what is wrong.
async function decodedPng(bytes, white = 65535, maxPixels = Infinity) {
  const chunks = pngChunks(bytes);
  const header = chunks.header;
  if (header.width * header.height > maxPixels)
    throw new Error(`it has ${header.width} × ${header.height} pixels, and at most ${maxPixels} are read`);
  const packed = await inflated(chunks.pixels).catch(() => {
    throw new Error("the PNG image is truncated or damaged");
  });
  return { ...pngColours(header, pngSamples(header, packed), chunks, white), orientation: chunks.orientation };
}

function pngChunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = { header: null, palette: null, transparency: null, pixels: [], orientation: 1 };
  let at = 8, name = "";
  while (name !== "IEND" && at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (body.length < length) break;
    if (name === "IHDR") found.header = pngHeader(body);
    else if (name === "PLTE") found.palette = body;
    else if (name === "tRNS") found.transparency = body;
    else if (name === "IDAT") found.pixels.push(body);
    else if (name === "eXIf") found.orientation = exifOrientation(body);
    at += 12 + length;
  }
  if (!found.header) throw new Error("the PNG image is damaged: it has no header");
  return found;
}

function pngHeader(body) {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const header = {
    width: view.getUint32(0), height: view.getUint32(4), bits: body[8], colour: body[9],
    samples: SAMPLES[body[9]], passes: body[12] ? PASSES : WHOLE,
  };
  if (!header.samples || ![1, 2, 4, 8, 16].includes(header.bits) || !header.width || !header.height)
    throw new Error("the PNG image is damaged: its header makes no sense");
  return header;
}

// All samples of all pixels, as the file has them: 0…2^bits − 1.
function pngSamples(header, packed) {
  const { width, height, bits, samples } = header;
  const found = new (bits === 16 ? Uint16Array : Uint8Array)(width * height * samples);
  const stride = Math.max(1, (bits * samples) >> 3); // bytes from a value to that left of it
  let at = 0;
  for (const [left, top, across, down] of header.passes) {
    const wide = Math.ceil((width - left) / across), tall = Math.ceil((height - top) / down);
    if (wide <= 0 || tall <= 0) continue;
    const line = Math.ceil((wide * samples * bits) / 8);
    let above = new Uint8Array(line);
    for (let y = 0; y < tall; y++, at += line + 1) {
      if (at + line + 1 > packed.length) throw new Error("the PNG image is truncated");
      const row = packed.subarray(at + 1, at + 1 + line);
      unfilter(packed[at], row, above, stride);
      const start = ((top + y * down) * width + left) * samples;
      for (let x = 0; x < wide; x++)
        for (let s = 0; s < samples; s++)
          found[start + x * across * samples + s] = sampleAt(row, x * samples + s, bits);
      above = row;
    }
  }
  return found;
}

function unfilter(kind, row, above, stride) {
  for (let i = 0; i < row.length; i++) {
    const left = i < stride ? 0 : row[i - stride], corner = i < stride ? 0 : above[i - stride];
    if (kind === 1) row[i] += left;
    else if (kind === 2) row[i] += above[i];
    else if (kind === 3) row[i] += (left + above[i]) >> 1;
    else if (kind === 4) row[i] += paeth(left, above[i], corner);
    else if (kind !== 0) throw new Error("the PNG image is damaged");
  }
}

function paeth(left, above, corner) {
  const guess = left + above - corner;
  const a = Math.abs(guess - left), b = Math.abs(guess - above), c = Math.abs(guess - corner);
  if (a <= b && a <= c) return left;
  return b <= c ? above : corner;
}

function sampleAt(row, index, bits) {
  if (bits === 8) return row[index];
  if (bits === 16) return (row[2 * index] << 8) | row[2 * index + 1];
  const place = index * bits;
  return (row[place >> 3] >> (8 - bits - (place & 7))) & ((1 << bits) - 1);
}

// Samples as 8-bit gray, colours, or colours and alpha.
function pngColours(header, values, chunks, white) {
  const { width, height, bits, colour } = header, pixels = width * height;
  const clear = chunks.transparency;
  const deep = bits === 16 && white !== 65535;
  const upper = (v) => (bits < 16 ? v : deep ? ofDeep(v, white) : v >> 8);
  const image = (channels) => ({ width, height, channels, data: new Uint8Array(pixels * channels) });
  if (colour === 3) {
    if (!chunks.palette) throw new Error("the PNG image is damaged: it has no palette");
    const made = image(4);
    for (let i = 0; i < pixels; i++) {
      for (let c = 0; c < 3; c++) made.data[4 * i + c] = chunks.palette[3 * values[i] + c] ?? 0;
      made.data[4 * i + 3] = clear?.[values[i]] ?? 255;
    }
    return made;
  }
  if (colour === 0 && (bits === 16 || !clear)) {
    const made = image(1);
    // Gray values of 16 bits are rounded, colours cut off.
    const value = bits === 16 ? (v) => ofDeep(v, white) : (v) => (v * 255) / ((1 << bits) - 1);
    for (let i = 0; i < pixels; i++) made.data[i] = value(values[i]);
    return made;
  }
  const gray = colour === 0 || colour === 4, hasAlpha = colour === 4 || colour === 6;
  const step = header.samples, made = image(hasAlpha || clear ? 4 : 3), to = made.channels;
  const largest = colour === 0 ? 255 / ((1 << bits) - 1) : 1;
  const key = clear ? clearKey(clear, bits, gray, deep) : null;
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) made.data[to * i + c] = upper(values[step * i + (gray ? 0 : c)]) * largest;
    if (hasAlpha) made.data[to * i + 3] = bits === 16 ? values[step * i + step - 1] >> 8 : values[step * i + step - 1];
    else if (key) {
      const seen = (c) => (deep ? values[step * i + c] : made.data[to * i + c]);
      made.data[to * i + 3] = key.every((value, c) => value === seen(c)) ? 0 : 255;
    }
  }
  return made;
}

// The one value or colour that is transparent, in the numbers that Pillow compares with it: of 8
// bits, and so the lower ones, but for images of 16 bits that are read whole.
function clearKey(chunk, bits, gray, deep) {
  const values = Array.from({ length: gray ? 1 : 3 }, (_, i) => (chunk[2 * i] << 8) | chunk[2 * i + 1]);
  if (deep) return values;
  return values.map((value) => (bits === 1 ? (value ? 255 : 0) : value & 255));
}

const ofDeep = (value, white) => halfToEven(Math.min(value, white) * (255 / white));

function exifOrientation(body) {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const little = body[0] === 0x49;
  try {
    const start = view.getUint32(4, little), entries = view.getUint16(start, little);
    for (let at = start + 2; at < start + 2 + 12 * entries; at += 12)
      if (view.getUint16(at, little) === ORIENTATION) return view.getUint16(at + 8, little);
  } catch {
    // Damaged EXIF data say nothing.
  }
  return 1;
}
