// A matrix as a grid of numbers, in which a place can be pointed at: by mouse, finger or arrow keys.

import { set, svg } from "../core/dom.js";
import { written } from "../core/texts.js";

/**
 * A rectangle of cells to be framed, in rows and columns of the grid; parts outside are drawn too.
 *
 * @typedef {{row: number, column: number, rows: number, columns: number, kind: string}} Frame
 */

/**
 * What a grid shows.
 *
 * @typedef {object} GridView
 * @property {ArrayLike<number>} values - row by row.
 * @property {(value: number, index: number) => string} [text] - how one is written.
 * @property {(index: number) => string} [fill] - a colour behind each cell.
 * @property {(index: number) => string} [ink] - the colour of each number, where `fill` needs another.
 * @property {readonly Frame[]} [frames]
 * @property {{row: number, column: number} | null} [place] - the cell that is chosen.
 */

let made = 0;

/**
 * A grid of numbers.
 *
 * @param {object} options
 * @param {string} options.label - what it is, for those who cannot see it.
 * @param {number} options.rows
 * @param {number} options.columns
 * @param {number} [options.cell] - pixels of a cell's side.
 * @param {number} [options.margin] - cells of room around it, for frames that reach outside.
 * @param {string} [options.kind] - "input", "filter" or "output": its colour.
 * @param {(row: number, column: number) => void} [options.onPoint] - a place is chosen.
 * @returns {{element: SVGSVGElement, show: (view: GridView) => void}}
 */
export function numberGrid({ label, rows, columns, cell = 38, margin = 0, kind = "", onPoint }) {
  const id = `grid${++made}`;
  const [width, height] = [(columns + 2 * margin) * cell, (rows + 2 * margin) * cell];
  const element = svg("svg", {
    class: `grid is-${kind}`,
    viewBox: `${-margin * cell - 1} ${-margin * cell - 1} ${width + 2} ${height + 2}`,
    width: width + 2,
    height: height + 2,
    role: onPoint ? "grid" : "img",
    "aria-label": label,
    tabindex: onPoint ? 0 : false,
  });
  const at = { row: 0, column: 0 };
  /** @type {{box: SVGRectElement, number: SVGTextElement, cell: SVGGElement}[]} */
  const cells = [];
  for (let row = 0; row < rows; row++) {
    const line = svg("g", onPoint ? { role: "row" } : {});
    for (let column = 0; column < columns; column++) {
      const box = svg("rect", { class: "cell", x: column * cell, y: row * cell, width: cell, height: cell });
      const number = svg("text", {
        x: (column + 0.5) * cell, y: (row + 0.5) * cell, "text-anchor": "middle", "dominant-baseline": "central",
      });
      const group = svg("g", onPoint ? { role: "gridcell", id: `${id}-${row}-${column}` } : {}, box, number);
      if (onPoint) {
        group.addEventListener("pointerenter", () => onPoint(row, column));
        group.addEventListener("click", () => onPoint(row, column));
      }
      cells.push({ box, number, cell: group });
      line.append(group);
    }
    element.append(line);
  }
  const frames = svg("g", { "aria-hidden": "true", class: "frames" });
  element.append(frames);
  element.addEventListener("keydown", (event) => {
    /** @type {Record<string, number[]>} */
    const ways = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const way = ways[event.key];
    if (!onPoint || !way) return;
    event.preventDefault();
    // At once: another key may come before this is drawn.
    at.row = Math.min(Math.max(at.row + way[0], 0), rows - 1);
    at.column = Math.min(Math.max(at.column + way[1], 0), columns - 1);
    onPoint(at.row, at.column);
  });

  /** @param {GridView} view */
  function show({ values, text = (value) => written(value, 2), fill, ink, frames: framed = [], place = null }) {
    cells.forEach(({ box, number, cell: group }, index) => {
      const shown = text(values[index], index);
      // Long numbers are written smaller, so that they stay in their cells.
      const size = Math.min(cell * 0.38, (cell * 1.4) / Math.max(shown.length, 1));
      set(number, { text: shown, style: `font-size: ${size}px;${ink ? ` fill: ${ink(index)};` : ""}` });
      if (fill) set(box, { style: `fill: ${fill(index)}` });
      if (onPoint) set(group, { "aria-label": shown });
    });
    if (place) {
      Object.assign(at, place);
      if (onPoint) set(element, { "aria-activedescendant": `${id}-${place.row}-${place.column}` });
    }
    const all = place ? [...framed, { ...place, rows: 1, columns: 1, kind: "place" }] : framed;
    while (frames.childElementCount < all.length) frames.append(svg("rect"));
    [...frames.children].forEach((frame, index) => {
      const one = all[index];
      set(frame, one
        ? {
            class: `frame is-${one.kind}`, display: null,
            x: one.column * cell, y: one.row * cell, width: one.columns * cell, height: one.rows * cell,
          }
        : { display: "none" });
    });
  }
  return { element, show };
}
