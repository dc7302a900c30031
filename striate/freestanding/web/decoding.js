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
    const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
    return { ...pixelsOf(bitmap, bitmap.width, bitmap.height), isJpeg };
  } finally {
    bitmap.close();
  }
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
