// A row of cells with each window below it, drawn true to size; what can be dragged has a handle.

import { html, set, svg } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { sizeRule } from "../../maths/window_size.js";
import { dragHandle } from "../../parts/drag_handle.js";
import { scrolling } from "../../parts/scrolling.js";

/** @typedef {import("../../maths/window_size.js").WindowSizes} WindowSizes */

export const MOST = /** @type {const} */ ({ input: 32, filter: 11, stride: 8, padding: 8, dilation: 4 });
const WIDTH = 1100, LEFT = 30, CELL_TOP = 46, CELL_MOST = 40, BAR = 22, SPACE = 6;

/**
 * @param {import("../../core/room.js").Lab} lab
 * @returns {{element: HTMLElement, show: (sizes: WindowSizes, stop: number) => void}}
 */
export function linePictureSizes(lab) {
  const cells = svg("g"), windows = svg("g"), outputs = svg("g"), why = svg("g", { class: "why" });
  let cell = CELL_MOST, origin = LEFT; // where pixel 0 of the input stands
  /** @type {WindowSizes} */
  let now = { input: 1, filter: 1, stride: 1, before: 0, after: 0, dilation: 1 };
  const start = () => origin - now.before * cell; // where the padded input begins
  const handles = {
    input: dragHandle({ label: say("size.handles.input"), least: 1, most: MOST.input,
      valueAt: (x) => (x - origin) / cell, onChange: (input) => lab.change({ input }) }),
    before: dragHandle({ label: say("size.handles.before"), least: 0, most: MOST.padding,
      valueAt: (x) => (origin - x) / cell, onChange: (before) => lab.change({ before }) }),
    after: dragHandle({ label: say("size.handles.after"), least: 0, most: MOST.padding,
      valueAt: (x) => (x - origin) / cell - now.input, onChange: (after) => lab.change({ after }) }),
    filter: dragHandle({ label: say("size.handles.filter"), least: 1, most: MOST.filter,
      valueAt: (x) => ((x - start()) / cell - 1) / now.dilation + 1, onChange: (filter) => lab.change({ filter }) }),
    stride: dragHandle({ label: say("size.handles.stride"), least: 1, most: MOST.stride,
      valueAt: (x) => (x - start()) / cell, onChange: (stride) => lab.change({ stride }) }),
  };
  const drawing = svg("svg", { class: "sizes-picture", role: "group", width: WIDTH },
    cells, why, windows, outputs, ...Object.values(handles).map(({ element }) => element));
  const element = scrolling(html("div", { class: "scroll" }, drawing));

  /** @param {WindowSizes} sizes @param {number} stop */
  function show(sizes, stop) {
    now = sizes;
    const { input, filter, stride, before, after, dilation } = sizes;
    const { reach, positions, rest, room } = sizeRule(sizes);
    const padded = before + input + after;
    // The scale changes in coarse steps, and the input stays where it is while something is dragged.
    const slots = before < 3 ? 2 : MOST.padding; // cells of room at the left
    const columns = Math.max(slots + Math.ceil((input + after + 2) / 8) * 8, slots + reach - before + 1);
    cell = Math.min(CELL_MOST, (WIDTH - 2 * LEFT) / columns);
    origin = LEFT + slots * cell;
    const x = (/** @type {number} */ place) => start() + place * cell; // place in the padded input
    const isUnread = (/** @type {number} */ place) => room < 0 || place >= padded - rest;
    redraw(cells, padded, () => svg("g", {}, svg("rect"), svg("text")), (group, place) => {
      const isPadding = place < before || place >= before + input;
      set(group, { class: `size-cell${isPadding ? " is-padding" : ""}${isUnread(place) ? " is-unread" : ""}` });
      set(group.children[0], { x: x(place) + 1, y: CELL_TOP, width: cell - 2, height: 34, rx: 4 });
      set(group.children[1], {
        x: x(place) + cell / 2, y: CELL_TOP + 18, "text-anchor": "middle", "dominant-baseline": "central",
        text: isPadding ? 0 : place - before, style: `font-size: ${Math.min(14, cell * 0.5)}px`,
      });
    });
    const levels = Math.ceil(reach / stride);
    const barsTop = CELL_TOP + (stop ? 106 : 62);
    const shown = Math.max(positions, 1); // a window that does not fit is drawn as well
    redraw(windows, shown, () => svg("g", {}, svg("rect"), svg("g"), svg("text"), svg("path")), (group, index) => {
      const left = x(index * stride), top = barsTop + (index % levels) * (BAR + SPACE);
      set(group, { class: `size-window${room < 0 ? " is-misfit" : ""}` });
      set(group.children[0], { x: left + 2, y: top, width: reach * cell - 4, height: BAR, rx: 5 });
      redraw(/** @type {SVGGElement} */ (group.children[1]), filter, () => svg("circle", { r: 3.5 }), (dot, tap) =>
        set(dot, { cx: left + (tap * dilation + 0.5) * cell, cy: top + BAR / 2 }));
      set(group.children[2], { text: "" });
      const centre = left + (reach * cell) / 2;
      set(group.children[3], { d: room < 0 ? "" : `M${centre} ${top + BAR}V${barsTop + levels * (BAR + SPACE) + 8}` });
    });
    const outTop = barsTop + levels * (BAR + SPACE) + 8;
    redraw(outputs, positions, () => svg("g", { class: "size-output" }, svg("rect"), svg("text")), (group, index) => {
      const centre = x(index * stride) + (reach * cell) / 2, wide = Math.min(cell, stride * cell) - 4;
      set(group.children[0], { x: centre - wide / 2, y: outTop, width: wide, height: 30, rx: 4 });
      set(group.children[1], {
        x: centre, y: outTop + 15, "text-anchor": "middle", "dominant-baseline": "central", text: index,
        style: `font-size: ${Math.min(14, wide * 0.55)}px`,
      });
    });
    drawWhy(why, { x, cell, top: CELL_TOP + 48, reach, room, positions, stride, stop });
    handles.input.show(x(before + input), CELL_TOP + 17, input);
    handles.before.show(x(0), CELL_TOP - 16, before);
    handles.after.show(x(padded), CELL_TOP - 16, after);
    handles.filter.show(x(reach) - 2, barsTop + BAR / 2, filter);
    handles.stride.element.style.display = room < 0 || positions < 2 ? "none" : "";
    handles.stride.show(x(stride) + 2, barsTop + (1 % levels) * (BAR + SPACE) + BAR / 2, stride);
    const height = outTop + 44;
    set(drawing, {
      viewBox: `0 0 ${WIDTH} ${height}`, height,
      "aria-label": say("size.picture", { padded, positions, reach, stride, rest }),
    });
  }
  return { element, show };
}

/**
 * Keep so many children, and bring each up to date.
 *
 * @param {SVGGElement} parent
 * @param {number} wanted
 * @param {() => SVGElement} make
 * @param {(child: Element, index: number) => void} update
 */
export function redraw(parent, wanted, make, update) {
  while (parent.childElementCount > wanted) parent.lastElementChild?.remove();
  while (parent.childElementCount < wanted) parent.append(make());
  [...parent.children].forEach(update);
}

/**
 * The stops by which the formula is understood, as brackets below the cells.
 *
 * @param {SVGGElement} group
 * @param {{x: (place: number) => number, cell: number, top: number, reach: number, room: number,
 *   positions: number, stride: number, stop: number}} at
 */
function drawWhy(group, { x, top, reach, room, positions, stride, stop }) {
  /** @type {SVGElement[]} */
  const parts = [];
  const bracket = (/** @type {number} */ from, /** @type {number} */ to, /** @type {string} */ text, /** @type {string} */ kind) => {
    if (to <= from) return;
    const [a, b] = [x(from) + 2, x(to) - 2];
    parts.push(svg("g", { class: `bracket is-${kind}` },
      svg("path", { d: `M${a} ${top}v8H${b}v-8` }),
      svg("text", { x: (a + b) / 2, y: top + 24, "text-anchor": "middle", text })));
  };
  if (stop >= 1) bracket(0, reach, `R = ${reach}`, "filter");
  if (stop === 1 || stop === 2) bracket(reach, reach + Math.max(room, 0), say("size.why.room", { room }), "input");
  if (stop >= 3 && room >= 0)
    for (let step = 1; step < positions; step++)
      bracket(reach + (step - 1) * stride, reach + step * stride, String(step), "input");
  if (stop >= 4)
    for (let post = 0; post < positions; post++)
      parts.push(svg("g", { class: "post" },
        svg("path", { d: `M${x(reach + post * stride) - 1} ${top - 6}v24` }),
        svg("text", { x: x(reach + post * stride) - 1, y: top + 42, "text-anchor": "middle", text: post + 1 })));
  group.replaceChildren(...parts);
}
