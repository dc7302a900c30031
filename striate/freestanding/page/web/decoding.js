// From a file, or a frame of the camera, to pixels. All but PNG is decoded by the browser.

const STRIP = 4_000_000; // pixels that are read at a time: phones refuse large canvases

async function decodedFile(file, white, maxPixels) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (isPng(bytes)) return decodedPng(bytes, white, maxPixels);
  let bitmap;
  try {
    // As stored: neither brought to the screen's colours nor multiplied by alpha.
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error("this browser cannot read it as a picture: save it as PNG or JPEG");
  }
  try {
    if (bitmap.width * bitmap.height > maxPixels)
      throw new Error(`it has ${bitmap.width} × ${bitmap.height} pixels, and at most ${maxPixels} are read`);
    return { ...pixelsOf(bitmap, bitmap.width, bitmap.height), jpegTurn: jpegTurn(bytes) };
  } finally {
    bitmap.close();
  }
}

// The EXIF orientation of JPEG, by which the browser has turned it; 0 of other kinds.
function jpegTurn(bytes) {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Segments up to the compressed pixels, each with its length.
  for (let at = 2; at + 10 < bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda; ) {
    const length = view.getUint16(at + 2);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (bytes[at + 1] === 0xe1 && name === "Exif") return exifOrientation(bytes.subarray(at + 10, at + 2 + length));
    at += 2 + length;
  }
  return 1;
}

// The pixels of a bitmap or a video, with alpha.
function pixelsOf(source, width, height) {
  const rows = Math.max(1, Math.min(height, Math.floor(STRIP / width)));
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = rows;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const data = new Uint8Array(4 * width * height);
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    context.clearRect(0, 0, width, rows);
    context.drawImage(source, 0, top, width, count, 0, 0, width, count);
    data.set(context.getImageData(0, 0, width, count).data, 4 * top * width);
  }
  return { width, height, channels: 4, data };
}
