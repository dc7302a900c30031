// Numbers as coloured cells, blue above 0 and orange below; a click tells which one was meant.

import { html, set } from "../../core/dom.js";

/**
 * @param {object} options
 * @param {string} options.label
 * @param {number} options.rows
 * @param {number} options.columns
 * @param {number} options.cell - pixels of a side.
 * @param {(row: number, column: number) => number} options.at - the place of a cell's number; -1 for a gap.
 * @param {(place: number) => void} options.onPick
 */
export function cellMap({ label, rows, columns, cell, at, onPick }) {
  const canvas = html("canvas", {
    class: "cell-map", width: columns * cell, height: rows * cell, role: "img", "aria-label": label,
    onclick: (/** @type {MouseEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
      const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
      const place = at(Math.min(Math.max(row, 0), rows - 1), Math.min(Math.max(column, 0), columns - 1));
      if (place >= 0) onPick(place);
    },
  });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  return {
    element: canvas,
    /**
     * @param {ArrayLike<number>} values
     * @param {number} most - the size that gets the full colour.
     * @param {(place: number) => "picked" | "linked" | null} marked
     */
    show(values, most, marked) {
      context.clearRect(0, 0, canvas.width, canvas.height);
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) {
          const place = at(row, column);
          if (place < 0) continue;
          const share = most > 0 ? Math.min(Math.abs(values[place]) / most, 1) : 0;
          context.fillStyle = values[place] < 0 ? `rgba(214, 104, 30, ${share})` : `rgba(38, 118, 214, ${share})`;
          context.fillRect(column * cell, row * cell, cell, cell);
          const mark = marked(place);
          if (!mark) continue;
          context.lineWidth = mark === "picked" ? 3 : 1.5;
          context.strokeStyle = mark === "picked" ? "#d01c8b" : "#1d9a55";
          context.strokeRect(column * cell + 1, row * cell + 1, cell - 2, cell - 2);
        }
      set(canvas, { class: "cell-map" });
    },
  };
}

/** The largest size among numbers. @param {ArrayLike<number>} values */
export function largestSize(values) {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}
