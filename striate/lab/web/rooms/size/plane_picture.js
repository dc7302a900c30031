// An image with its frame of zeros, the window of one output, and how often each pixel is read.

import { html, set, svg } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { whenChanged } from "../../core/when_changed.js";
import { readings, sizeRule } from "../../maths/window_size.js";
import { redraw } from "./line_picture_sizes.js";

/** @typedef {import("../../maths/window_size.js").WindowSizes} WindowSizes */

const SIDE = 400, CELL = 34, LEGIBLE = 17;

/**
 * @param {import("../../core/room.js").Lab} lab
 * @returns {{element: HTMLElement, show: (down: WindowSizes, across: WindowSizes, place: {row: number, column: number}, isHeat: boolean) => void}}
 */
export function planePicture(lab) {
  const pixels = svg("g"), taps = svg("g", { class: "plane-taps" }), frame = svg("rect", { class: "plane-window" });
  const image = svg("svg", { class: "plane", role: "img" }, pixels, taps, frame);
  const outputs = svg("g");
  const map = svg("svg", { class: "plane", role: "slider", tabindex: 0, "aria-label": say("size.plane.output"), "aria-valuemin": 0 }, outputs);
  const [left, right] = [html("figcaption"), html("figcaption")];
  const element = html("div", { class: "planes" },
    html("figure", {}, image, left), html("span", { class: "sign", "aria-hidden": "true", text: "→" }), html("figure", {}, map, right));
  let cell = CELL, rows = 0, columns = 0;
  const at = { row: 0, column: 0 };

  /** @param {number} row @param {number} column */
  function go(row, column) {
    if (!rows || !columns) return;
    // At once: another key may come before this is drawn.
    at.row = Math.min(Math.max(row, 0), rows - 1);
    at.column = Math.min(Math.max(column, 0), columns - 1);
    lab.change({ ...at });
  }
  /** @param {PointerEvent} event */
  function point(event) {
    const matrix = map.getScreenCTM();
    if (!matrix) return;
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    go(Math.floor(y / cell), Math.floor(x / cell));
  }
  map.addEventListener("pointermove", (event) => (event.pointerType === "mouse" || event.buttons) && point(event));
  map.addEventListener("pointerdown", point);
  map.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!way) return;
    event.preventDefault();
    go(at.row + way[0], at.column + way[1]);
  });

  /** @type {Element | undefined} */
  let chosen;
  const showCells = whenChanged((/** @type {WindowSizes} */ down, /** @type {WindowSizes} */ across, /** @type {boolean} */ isHeat) => {
    const [ruleDown, ruleAcross] = [sizeRule(down), sizeRule(across)];
    rows = ruleDown.positions;
    columns = ruleAcross.positions;
    if (!rows || !columns) rows = columns = 0;
    const height = down.before + down.input + down.after, width = across.before + across.input + across.after;
    cell = Math.min(CELL, SIDE / Math.max(height, width));
    const [countsDown, countsAcross] = [readings(down), readings(across)];
    const most = Math.max(1, Math.max(...countsDown) * Math.max(...countsAcross));
    redraw(pixels, height * width, () => svg("g", {}, svg("rect"), svg("text")), (group, index) => {
      const r = Math.floor(index / width), c = index % width;
      const i = r - down.before, j = c - across.before;
      const isPadding = i < 0 || j < 0 || i >= down.input || j >= across.input;
      const count = isPadding ? 0 : countsDown[i] * countsAcross[j];
      const unread = !isPadding && count === 0;
      const isHot = isHeat && count > 0;
      set(group, { class: `size-cell${isPadding ? " is-padding" : ""}${unread ? " is-unread" : ""}${isHot ? " is-hot" : ""}` });
      set(group.children[0], {
        x: c * cell + 0.5, y: r * cell + 0.5, width: cell - 1, height: cell - 1,
        "fill-opacity": isHot && ((0.7 * count) / most).toFixed(2),
      });
      set(group.children[1], {
        x: (c + 0.5) * cell, y: (r + 0.5) * cell, "text-anchor": "middle", "dominant-baseline": "central",
        text: cell < LEGIBLE ? "" : isPadding ? 0 : isHeat ? count : "", style: `font-size: ${Math.min(13, cell * 0.45)}px`,
      });
    });
    set(image, {
      viewBox: `-2 -2 ${width * cell + 4} ${height * cell + 4}`, width: width * cell + 4, height: height * cell + 4,
      "aria-label": say("size.plane.input", { height: down.input, width: across.input, corner: countsDown[0] * countsAcross[0], most }),
    });
    redraw(outputs, rows * columns, () => svg("rect"), (box, index) => {
      const r = Math.floor(index / columns), c = index % columns;
      set(box, { class: "output-cell", x: c * cell + 0.5, y: r * cell + 0.5, width: cell - 1, height: cell - 1 });
    });
    set(map, {
      viewBox: `-2 -2 ${Math.max(columns, 1) * cell + 4} ${Math.max(rows, 1) * cell + 4}`,
      width: Math.max(columns, 1) * cell + 4, height: Math.max(rows, 1) * cell + 4,
      "aria-valuemax": Math.max(rows * columns - 1, 0),
    });
    set(left, { text: say("size.plane.input_size", { height: down.input, width: across.input }) });
    set(right, { text: say("size.plane.output_size", { height: rows, width: columns }) });
  });

  /** @param {WindowSizes} down @param {WindowSizes} across @param {{row: number, column: number}} place @param {boolean} isHeat */
  function show(down, across, place, isHeat) {
    showCells(down, across, isHeat);
    const [reachDown, reachAcross] = [sizeRule(down).reach, sizeRule(across).reach];
    at.row = Math.min(place.row, rows - 1);
    at.column = Math.min(place.column, columns - 1);
    const isThere = rows > 0;
    const top = at.row * down.stride, first = at.column * across.stride;
    set(frame, isThere
      ? { x: first * cell, y: top * cell, width: reachAcross * cell, height: reachDown * cell, display: null }
      : { display: "none" });
    redraw(taps, isThere ? down.filter * across.filter : 0, () => svg("circle"), (dot, index) => {
      const i = Math.floor(index / across.filter), j = index % across.filter;
      set(dot, {
        cx: (first + j * across.dilation + 0.5) * cell, cy: (top + i * down.dilation + 0.5) * cell, r: Math.max(2, cell * 0.13),
      });
    });
    if (chosen) set(chosen, { class: "output-cell" });
    chosen = outputs.children[at.row * columns + at.column];
    if (chosen) set(chosen, { class: "output-cell is-chosen" });
    set(map, {
      "aria-valuenow": isThere ? at.row * columns + at.column : 0,
      "aria-valuetext": isThere ? say("size.plane.place", { row: at.row, column: at.column, top: top - down.before, left: first - across.before }) : "",
    });
  }
  return { element, show };
}
