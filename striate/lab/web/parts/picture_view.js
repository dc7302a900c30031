// A picture on a canvas, in which a pixel can be pointed at, by mouse, finger or arrow keys.

import { html, set, svg } from "../core/dom.js";
import { rgbaOf } from "../maths/pixels.js";

/** @typedef {import("../maths/pixels.js").Picture} Picture */

/**
 * @param {object} options
 * @param {string} options.label
 * @param {(row: number, column: number) => void} options.onPoint
 * @returns {{
 *   element: HTMLElement,
 *   paint: (picture: Picture) => void,
 *   frame: (row: number, column: number, rows: number, columns: number, said: string) => void,
 * }} `frame` marks rows and columns from a place, and says what is there.
 */
export function pictureView({ label, onPoint }) {
  const canvas = html("canvas", { "aria-hidden": "true" });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const halo = svg("rect", { class: "pixel-frame is-halo" }), box = svg("rect", { class: "pixel-frame" });
  const cross = svg("path", { class: "pixel-cross" });
  const marks = svg("svg", { class: "pixel-marks", "aria-hidden": "true" }, cross, halo, box);
  const element = html("div", {
    class: "picture-view", role: "slider", tabindex: 0, "aria-label": label, "aria-valuemin": 0,
  }, canvas, marks);
  const at = { row: 0, column: 0 };

  /** @param {number} row @param {number} column */
  function go(row, column) {
    // At once: another key may come before this is drawn.
    at.row = Math.min(Math.max(row, 0), canvas.height - 1);
    at.column = Math.min(Math.max(column, 0), canvas.width - 1);
    onPoint(at.row, at.column);
  }
  /** @param {PointerEvent} event */
  function point(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    go(Math.floor(((event.clientY - top) / height) * canvas.height), Math.floor(((event.clientX - left) / width) * canvas.width));
  }
  element.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) point(event);
  });
  element.addEventListener("pointerdown", point);
  element.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 1;
    const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!way) return;
    event.preventDefault();
    go(at.row + way[0] * step, at.column + way[1] * step);
  });
  return {
    element,
    paint(picture) {
      if (canvas.width !== picture.width || canvas.height !== picture.height) {
        canvas.width = picture.width;
        canvas.height = picture.height;
        set(marks, { viewBox: `0 0 ${picture.width} ${picture.height}` });
        set(element, { "aria-valuemax": picture.width * picture.height - 1, style: `aspect-ratio: ${picture.width} / ${picture.height}` });
      }
      context.putImageData(new ImageData(rgbaOf(picture), picture.width, picture.height), 0, 0);
    },
    frame(row, column, rows, columns, said) {
      at.row = row + (rows >> 1);
      at.column = column + (columns >> 1);
      for (const one of [halo, box]) set(one, { x: column, y: row, width: columns, height: rows });
      const [y, x] = [at.row + 0.5, at.column + 0.5];
      set(cross, { d: `M${x} 0V${row}M${x} ${row + rows}V${canvas.height}M0 ${y}H${column}M${column + columns} ${y}H${canvas.width}` });
      set(element, { "aria-valuenow": at.row * canvas.width + at.column, "aria-valuetext": said });
    },
  };
}
