// A kernel as cells that turn over where it is flipped: each row first, then each column, so that it is
// seen where every number goes.

import { set, svg } from "../core/dom.js";
import { written } from "../core/texts.js";

/**
 * Cells of a kernel, as a group to be put into a drawing; where it stands is `x` and `y` of `show`.
 *
 * @param {object} options
 * @param {number} options.rows
 * @param {number} options.columns
 * @param {number} options.width - of a cell.
 * @param {number} options.height
 * @returns {{element: SVGGElement, show: (view: FlippingView) => void}}
 *
 * @typedef {object} FlippingView
 * @property {readonly number[]} values - row by row, not flipped.
 * @property {(value: number) => string} [text]
 * @property {(index: number) => string} [below] - a small text in each cell, such as "g(2)".
 * @property {boolean} flipped
 * @property {number} [x] - of the whole, in pixels.
 * @property {number} [y]
 * @property {(index: number) => boolean} [isIdle] - cells that meet nothing.
 */
export function flippingCells({ rows, columns, width, height }) {
  const element = svg("g", { class: "flipping" });
  const cells = Array.from({ length: rows * columns }, () => {
    const box = svg("rect", { class: "cell is-filter-cell", x: 1, y: 1, width: width - 2, height: height - 2, rx: 4 });
    const number = svg("text", { x: width / 2, "text-anchor": "middle", "dominant-baseline": "central" });
    const below = svg("text", {
      class: "below", x: width / 2, y: height - 8, "text-anchor": "middle",
    });
    const down = svg("g", { class: "flip-down" }, box, number, below);
    const across = svg("g", { class: "flip-across" }, down);
    element.append(across);
    return { across, down, number, below, box };
  });
  return {
    element,
    show({ values, text = (value) => written(value, 2), below, flipped, x = 0, y = 0, isIdle }) {
      set(element, { transform: `translate(${x} ${y})` });
      cells.forEach((cell, index) => {
        const row = Math.floor(index / columns), column = index % columns;
        const [r, c] = flipped ? [rows - 1 - row, columns - 1 - column] : [row, column];
        set(cell.across, { style: `transform: translateX(${c * width}px)` });
        set(cell.down, { style: `transform: translateY(${r * height}px)`, class: `flip-down${isIdle?.(index) ? " is-idle" : ""}` });
        const shown = text(values[index]);
        const size = Math.min(height * 0.38, 15, (width * 1.5) / Math.max(shown.length, 1));
        set(cell.number, { text: shown, y: below ? height * 0.38 : height / 2, style: `font-size: ${size}px` });
        set(cell.below, { text: below?.(index) ?? "" });
      });
    },
  };
}
