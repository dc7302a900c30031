// Numbers as coloured cells, blue above 0 and orange below: a grid that is walked by arrow keys, and in
// which a cell is picked by a click, Enter or the space bar.

import { html, set } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { precise } from "./sums.js";

/** @typedef {ReturnType<typeof cellMap>} CellMap */
/** @typedef {"picked" | "linked" | "reached"} Mark - what was picked, what its sum reads, what it sees or moves. */

/** Red, green and blue of numbers below and above 0; the larger, the less transparent. */
const BELOW = [214, 104, 30, 0], ABOVE = [38, 118, 214, 0];

let cells = 0; // that were read out

/**
 * @param {object} options
 * @param {string} options.label
 * @param {number} options.rows
 * @param {number} options.columns
 * @param {number} options.cell - pixels of a side.
 * @param {(row: number, column: number) => number} options.at - the place of a cell's number; -1 for a gap.
 * @param {(place: number) => void} options.onPick
 * @param {(text: string) => void} options.onPoint - what the cell is at which one points; "" for none.
 */
export function cellMap({ label, rows, columns, cell, at, onPick, onPoint }) {
  const canvas = html("canvas", { width: columns * cell, height: rows * cell, "aria-hidden": "true" });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const line = html("div", { role: "row" });
  const element = html("div", {
    class: "cell-map", role: "grid", tabindex: -1, "aria-label": label, "aria-rowcount": rows, "aria-colcount": columns,
  }, canvas, html("div", { class: "visually-hidden" }, line));
  const cursor = { row: 0, column: 0 };
  /** @type {{values: ArrayLike<number>, most: number, marked: (place: number) => Mark | null}} */
  let shown = { values: [], most: 0, marked: () => null };
  let hasFocus = false;

  /** The number in a cell. @param {number} row @param {number} column */
  const numberIn = (row, column) => (shown.values.length ? precise(shown.values[at(row, column)], 5) : say("learning.not_yet"));

  /** @param {number} row @param {number} column */
  const told = (row, column) => say("learning.cell", { map: label, row: row + 1, column: column + 1, value: numberIn(row, column) });

  // One cell is there for those who read by ear: a new one each time, so that it is read anew.
  function tell() {
    const { row, column } = cursor, id = `cell${++cells}`;
    set(line, { "aria-rowindex": row + 1 });
    line.replaceChildren(html("div", { role: "gridcell", id, "aria-colindex": column + 1 }));
    update();
    set(element, { "aria-activedescendant": id });
  }

  function update() {
    const { row, column } = cursor, isPicked = shown.marked(at(row, column)) === "picked";
    if (line.firstElementChild) set(line.firstElementChild, { "aria-selected": String(isPicked), text: numberIn(row, column) });
    if (hasFocus) onPoint(told(row, column));
  }

  /** @param {MouseEvent} event */
  function cellUnder(event) {
    const box = canvas.getBoundingClientRect();
    const share = (/** @type {number} */ from, /** @type {number} */ size, /** @type {number} */ cells) =>
      Math.min(Math.max(Math.floor((from / size) * cells), 0), cells - 1);
    return { row: share(event.clientY - box.top, box.height, rows), column: share(event.clientX - box.left, box.width, columns) };
  }
  element.addEventListener("click", (event) => {
    const { row, column } = cellUnder(event);
    if (at(row, column) < 0) return;
    Object.assign(cursor, { row, column });
    onPick(at(row, column));
  });
  element.addEventListener("pointermove", (event) => {
    const { row, column } = cellUnder(event);
    onPoint(at(row, column) < 0 ? "" : told(row, column));
  });
  element.addEventListener("pointerleave", () => onPoint(""));
  element.addEventListener("focus", () => {
    hasFocus = true;
    tell();
    paint();
  });
  element.addEventListener("blur", () => {
    hasFocus = false;
    onPoint("");
    paint();
  });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") onPick(at(cursor.row, cursor.column));
    else if (!move(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  });

  /** Whether a key moved the cursor; over gaps, and not over the edge. @param {string} key */
  function move(key) {
    const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[key];
    let row = cursor.row, column = key === "Home" ? 0 : key === "End" ? columns - 1 : cursor.column;
    if (!way && key !== "Home" && key !== "End") return false;
    const [down, right] = way ?? (key === "Home" ? [0, 1] : [0, -1]);
    const isInside = () => row >= 0 && row < rows && column >= 0 && column < columns;
    do {
      if (!way && at(row, column) >= 0) break;
      row += down;
      column += right;
    } while (isInside() && at(row, column) < 0);
    if (!isInside()) return false;
    Object.assign(cursor, { row, column });
    tell();
    paint();
    return true;
  }

  // Pixels are written one by one: hundreds of maps are drawn anew in a frame.
  const image = context.createImageData(canvas.width, canvas.height), all = new Uint32Array(image.data.buffer);
  const pixel = new Uint8ClampedArray(4), colour = new Uint32Array(pixel.buffer);

  /** @param {number} row @param {number} column @param {number} value - of -1 to 1. */
  function fill(row, column, value) {
    pixel.set(value < 0 ? BELOW : ABOVE);
    pixel[3] = 255 * Math.min(Math.abs(value), 1);
    for (let y = row * cell; y < (row + 1) * cell; y++) {
      const first = y * canvas.width + column * cell;
      all.fill(colour[0], first, first + cell);
    }
  }

  function paint() {
    const { values, most, marked } = shown;
    /** @type {[row: number, column: number, mark: Mark][]} */
    const marks = [];
    image.data.fill(0);
    for (let row = 0; row < rows && values.length; row++)
      for (let column = 0; column < columns; column++) {
        const place = at(row, column);
        if (place < 0) continue;
        fill(row, column, most > 0 ? values[place] / most : 0);
        const mark = marked(place);
        if (mark) marks.push([row, column, mark]);
      }
    context.putImageData(image, 0, 0);
    for (const [row, column, mark] of marks) {
      if (mark === "reached") dot(row, column);
      else frame(row, column, mark === "picked" ? "#d01c8b" : "#1d9a55", mark === "picked" ? 3 : 1.5);
    }
    if (hasFocus) frame(cursor.row, cursor.column, getComputedStyle(element).color, 2);
  }

  /** @param {number} row @param {number} column */
  function dot(row, column) {
    const side = Math.max(2, Math.round(cell / 5)), inset = (cell - side) / 2;
    context.fillStyle = "#1d9a55";
    context.fillRect(column * cell + inset, row * cell + inset, side, side);
  }

  /** @param {number} row @param {number} column @param {string} colour @param {number} width */
  function frame(row, column, colour, width) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.strokeRect(column * cell + 1, row * cell + 1, cell - 2, cell - 2);
  }

  tell();
  return {
    element,
    /** Brings the keyboard here. */
    focus: () => element.focus(),
    /**
     * @param {ArrayLike<number>} values - none where they are not computed yet.
     * @param {number} most - the size that gets the full colour.
     * @param {(place: number) => Mark | null} marked
     */
    show(values, most, marked) {
      shown = { values, most, marked };
      set(element, { class: values.length ? "cell-map" : "cell-map is-empty" });
      update();
      paint();
    },
  };
}

/**
 * Maps that lie side by side: one stop of the Tab key. Where the arrow keys leave one map, they enter the
 * next; Page Up and Page Down go there at once.
 *
 * @param {string} label
 * @param {string} kind - a further class.
 * @param {readonly CellMap[]} maps
 * @returns {HTMLElement}
 */
export function mapGroup(label, kind, maps) {
  maps.forEach(({ element }, index) => set(element, { tabindex: index ? -1 : 0 }));
  const group = html("div", { class: `maps ${kind}`, role: "group", "aria-label": label }, ...maps.map(({ element }) => element));
  group.addEventListener("focusin", ({ target }) => {
    for (const { element } of maps) set(element, { tabindex: element === target ? 0 : -1 });
  });
  group.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowUp: -1, PageUp: -1, ArrowRight: 1, ArrowDown: 1, PageDown: 1 }[event.key];
    const next = way && maps[maps.findIndex(({ element }) => element === event.target) + way];
    if (way) event.preventDefault();
    if (next) next.focus();
  });
  return group;
}

/** The largest size among numbers. @param {ArrayLike<number>} values */
export function largestSize(values) {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}
