// A pad on which an image for the network is drawn: pixels get darker where the pen goes.

import { html } from "../../core/dom.js";
import { say } from "../../core/texts.js";

const SIDE = 192;

/**
 * @param {object} options
 * @param {readonly number[]} options.shape - height, width, channels.
 * @param {number} options.white - the largest value of a pixel.
 * @param {(pixels: Float32Array) => void} options.onDraw
 */
export function drawingPad({ shape: [height, width, channels], white, onDraw }) {
  let pixels = new Float32Array(height * width * channels);
  /** @type {{x: number, y: number} | null} */
  let pen = null;
  const canvas = html("canvas", { class: "pad", width: SIDE, height: Math.round((SIDE * height) / width), role: "img",
    "aria-label": say("learning.pad"), tabindex: 0 });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const key = { x: width / 2, y: height / 2 };

  function paint() {
    const cell = canvas.width / width;
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    for (let place = 0; place < height * width; place++) {
      const light = Math.round((255 * pixels[place * channels]) / white);
      context.fillStyle = `rgb(${light}, ${light}, ${light})`;
      context.fillRect((place % width) * cell, Math.floor(place / width) * cell, cell + 0.5, cell + 0.5);
    }
  }

  /** Each pixel takes as much as the pen, a round of about a pixel, covers of it. @param {number} x @param {number} y */
  function dot(x, y) {
    const radius = 0.75 * Math.max(1, Math.min(height, width) / 10);
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        const cover = Math.min(Math.max(radius + 0.5 - Math.hypot(column + 0.5 - x, row + 0.5 - y), 0), 1);
        for (let c = 0; c < channels; c++) {
          const place = (row * width + column) * channels + c;
          pixels[place] = Math.max(pixels[place], Math.round(cover * white));
        }
      }
  }

  /** @param {{x: number, y: number}} from @param {{x: number, y: number}} to */
  function stroke(from, to) {
    const steps = Math.max(1, Math.ceil(4 * Math.hypot(to.x - from.x, to.y - from.y)));
    for (let i = 0; i <= steps; i++) dot(from.x + ((to.x - from.x) * i) / steps, from.y + ((to.y - from.y) * i) / steps);
    paint();
    onDraw(pixels);
  }

  /** @param {PointerEvent} event */
  function placeOf(event) {
    const box = canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * width, y: ((event.clientY - box.top) / box.height) * height };
  }
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen = placeOf(event);
    stroke(pen, pen);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pen) return;
    const next = placeOf(event);
    stroke(pen, next);
    pen = next;
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (pen = null));
  canvas.addEventListener("keydown", (event) => {
    const way = /** @type {Record<string, number[]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] })[event.key];
    if (!way) return;
    event.preventDefault();
    const next = { x: Math.min(Math.max(key.x + way[0], 0), width), y: Math.min(Math.max(key.y + way[1], 0), height) };
    if (!event.shiftKey) stroke(key, next); // with Shift the pen is lifted
    Object.assign(key, next);
  });
  paint();
  return {
    element: canvas,
    pixels: () => pixels.slice(),
    clear() {
      pixels = new Float32Array(pixels.length);
      Object.assign(key, { x: width / 2, y: height / 2 });
      paint();
      onDraw(pixels);
    },
  };
}
