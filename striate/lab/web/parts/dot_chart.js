// Numbers over places as dots with lines between; those of the first series can be dragged.

import { html, set, svg } from "../core/dom.js";
import { written } from "../core/texts.js";
import { axisTicks } from "../maths/chart_scale.js";

/**
 * @typedef {{kind: string, values: readonly number[], isDashed?: boolean}} Series
 */

const MOST_DOTS = 40; // of more, only the lines are drawn

/**
 * A chart, as a group to be put into a drawing.
 *
 * @param {object} options
 * @param {number} options.count - places.
 * @param {(place: number) => number} options.x - where a place stands, in the drawing.
 * @param {number} options.left
 * @param {number} options.right
 * @param {number} options.top
 * @param {number} options.height
 * @param {(place: number) => string} options.name - of a dot of the first series.
 * @param {(place: number, value: number) => void} [options.onDrag] - without it nothing can be dragged.
 * @param {(place: number) => void} [options.onTouch] - a dot is taken hold of, or has the focus.
 * @returns {{element: SVGGElement, show: (series: readonly Series[], ringed?: (place: number) => boolean) => void}}
 */
export function dotChart({ count, x, left, right, top, height, name, onDrag, onTouch }) {
  const grid = svg("g", { class: "chart-grid", "aria-hidden": "true" });
  const lines = svg("g", { class: "chart-lines", "aria-hidden": "true" });
  const dots = svg("g", { class: "chart-dots" });
  const element = svg("g", { class: "dot-chart" }, grid, lines, dots);
  let ticks = axisTicks([0, 1]);
  let held = -1, tabbed = 0;
  /** @type {readonly number[]} */
  let values = [];
  /** @type {SVGCircleElement[]} */
  const handles = [];

  /** @param {number} value */
  const y = (value) => top + height * (1 - (value - ticks.low) / (ticks.high - ticks.low));

  /** @param {PointerEvent} event */
  function drag(event) {
    const matrix = element.ownerSVGElement?.getScreenCTM();
    if (held < 0 || !matrix) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse()).y;
    const value = ticks.low + (1 - (at - top) / height) * (ticks.high - ticks.low);
    const rounded = Math.round(value / ticks.fine) * ticks.fine;
    onDrag?.(held, Number(Math.min(Math.max(rounded, ticks.low), ticks.high).toPrecision(12)));
  }

  if (onDrag && count <= MOST_DOTS)
    for (let place = 0; place < count; place++) {
      const handle = svg("circle", {
        class: "handle", r: 9, cx: x(place), role: "slider", tabindex: place ? -1 : 0,
        "aria-orientation": "vertical", "aria-label": name(place),
      });
      handle.addEventListener("pointerdown", (event) => {
        held = place;
        handle.setPointerCapture(event.pointerId);
        handle.focus();
        event.preventDefault();
      });
      handle.addEventListener("pointermove", drag);
      const release = () => (held = -1);
      handle.addEventListener("pointerup", release);
      handle.addEventListener("pointercancel", release);
      handle.addEventListener("focus", () => {
        set(handles[tabbed], { tabindex: -1 });
        tabbed = place;
        set(handle, { tabindex: 0 });
        onTouch?.(place);
      });
      handle.addEventListener("keydown", (event) => {
        const up = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
        const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (up) {
          const value = Number((values[place] + up * ticks.fine).toPrecision(12));
          values = values.map((old, at) => (at === place ? value : old)); // another key may come before this is drawn
          onDrag(place, value);
        }
        if (way) handles[Math.min(Math.max(place + way, 0), count - 1)].focus();
        if (up || way) event.preventDefault();
      });
      handles.push(handle);
      dots.append(handle);
    }

  /**
   * @param {SVGGElement} parent
   * @param {number} wanted
   * @param {() => SVGElement} make
   */
  function fill(parent, wanted, make) {
    while (parent.childElementCount < wanted) parent.append(make());
    while (parent.childElementCount > wanted) parent.lastElementChild?.remove();
    return /** @type {SVGElement[]} */ ([...parent.children]);
  }

  const others = svg("g", { "aria-hidden": "true" });
  element.insertBefore(others, dots);
  return {
    element,
    show(series, ringed = () => false) {
      [{ values }] = series;
      // The scale stands still while a dot is held: else it would run away from the pointer.
      if (held < 0) ticks = axisTicks(series.flatMap((one) => one.values));
      fill(grid, ticks.at.length, () => svg("g", {}, svg("line"), svg("text"))).forEach((tick, index) => {
        const value = ticks.at[index];
        set(tick.children[0], { x1: left, x2: right, y1: y(value), y2: y(value), class: value === 0 ? "is-zero" : "" });
        set(tick.children[1], { x: left - 6, y: y(value), "text-anchor": "end", "dominant-baseline": "central", text: written(value, 4) });
      });
      fill(lines, series.length, () => svg("polyline")).forEach((line, index) => {
        const one = series[index];
        set(line, {
          class: `chart-line is-${one.kind}${one.isDashed ? " is-dashed" : ""}`,
          points: one.values.map((value, place) => `${x(place).toFixed(1)},${y(value).toFixed(1)}`).join(" "),
        });
      });
      const more = count <= MOST_DOTS ? series.slice(handles.length ? 1 : 0) : [];
      fill(others, more.length, () => svg("g")).forEach((group, index) => {
        const one = more[index];
        set(group, { class: `is-${one.kind}${one.isDashed ? " is-dashed" : ""}` });
        fill(/** @type {SVGGElement} */ (group), one.values.length, () => svg("circle", { r: 5 })).forEach((dot, place) =>
          set(dot, { cx: x(place), cy: y(one.values[place]), class: one.kind === "output" && ringed(place) ? "dot is-ringed" : "dot" }));
      });
      handles.forEach((handle, place) =>
        set(handle, { cy: y(values[place]), "aria-valuenow": values[place], "aria-valuemin": ticks.low, "aria-valuemax": ticks.high }));
    },
  };
}

/**
 * What the lines of a chart mean.
 *
 * @param {readonly (readonly [kind: string, text: string])[]} entries
 * @returns {HTMLElement}
 */
export function legend(entries) {
  return html("ul", { class: "legend" },
    ...entries.map(([kind, text]) => html("li", { class: `legend-${kind}`, text })));
}
