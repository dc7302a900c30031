// The picture of a convolution in one dimension: f as dots to drag, g sliding below it, and y.

import { html, set, svg } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { originIndex, windowStart } from "../../maths/convolution.js";
import { dotChart } from "../../parts/dot_chart.js";
import { flippingCells } from "../../parts/flipping_cells.js";
import { cellNumber, shortNumber } from "../../parts/written_sum.js";

const WIDTH = 860, LEFT = 74, TOP = 12, CHART = 210, CELL = 44, GAP = 10;
const SMALLEST = 25; // pixels of a cell in which a number can be read
const AROUND = 3; // cells beside the window, where the signal is too long for cells

/**
 * What is drawn.
 *
 * @typedef {object} LineView
 * @property {readonly number[]} f
 * @property {readonly number[]} g
 * @property {number} at
 * @property {import("../../maths/convolution.js").Origin} origin
 * @property {boolean} flip
 * @property {readonly number[]} y
 * @property {readonly number[] | null} other - the sums of the other operation, to compare.
 * @property {number} touched - the element of f whose readers are marked, or -1.
 */

/**
 * @param {object} options
 * @param {number} options.length - of f.
 * @param {number} options.taps - of g.
 * @param {boolean} options.isFixed - f cannot be dragged.
 * @param {(i: number, value: number) => void} options.onDrag
 * @param {(i: number) => void} options.onTouch
 * @param {(x: number) => void} options.onPoint - an output is chosen.
 * @returns {{element: HTMLElement, show: (view: LineView, ringed: (x: number) => boolean) => void}}
 */
export function linePicture({ length, taps, isFixed, onDrag, onTouch, onPoint }) {
  const margin = taps - 1;
  const cell = Math.min(52, (WIDTH - LEFT - 8) / (length + 2 * margin));
  const isLong = cell < SMALLEST; // then the cells are a magnified piece, below the whole
  const [wide, shownCells] = isLong
    ? [Math.min(52, (WIDTH - LEFT - 8) / (taps + 2 * AROUND)), taps + 2 * AROUND]
    : [cell, length + 2 * margin];
  const right = isLong ? WIDTH - 8 : LEFT + shownCells * wide;
  /** @param {number} i */
  const x = (i) => (isLong ? LEFT + ((i + 0.5) * (right - LEFT)) / length : LEFT + (i + margin + 0.5) * cell);
  const [axis, rowF] = [TOP + CHART + 20, TOP + CHART + 36];
  const rowG = rowF + CELL + GAP, rowP = rowG + CELL + GAP, rowY = rowP + CELL * 0.7 + GAP;
  const height = rowY + CELL + 6;

  const band = svg("rect", { class: "window-band", y: TOP, height: CHART });
  const outline = svg("rect", { class: "window-outline", y: rowF - 4, height: rowP + CELL * 0.7 - rowF + 8, rx: 8 });
  const chart = dotChart({
    count: length, x, left: LEFT, right, top: TOP, height: CHART,
    name: (i) => say("convolution.line.handle", { i }),
    onDrag: isFixed ? undefined : onDrag, onTouch,
  });
  const marks = svg("g", { class: "axis", "aria-hidden": "true" });
  const every = isLong ? Math.ceil(length / 12 / 5) * 5 : 1;
  for (let i = 0; i < length; i += every)
    marks.append(svg("text", { x: x(i), y: axis, "text-anchor": "middle", text: i }));
  const now = svg("path", { class: "now" });

  /** @param {number} top @param {string} kind @param {number} tall */
  function cellRow(top, kind, tall) {
    const group = svg("g", { class: `cells is-${kind}` });
    const cells = Array.from({ length: shownCells }, (_, place) => {
      const box = svg("rect", { class: "cell", x: LEFT + place * wide + 1, y: top, width: wide - 2, height: tall - 2, rx: 4 });
      const number = svg("text", { x: LEFT + (place + 0.5) * wide, "text-anchor": "middle", "dominant-baseline": "central" });
      const below = svg("text", { class: "below", x: LEFT + (place + 0.5) * wide, y: top + tall - 8, "text-anchor": "middle" });
      const one = svg("g", {}, box, number, below);
      group.append(one);
      return { one, number, below };
    });
    return {
      group,
      /** @param {(place: number) => {text: string, below?: string, isMarked?: boolean} | null} at */
      show(at) {
        cells.forEach(({ one, number, below }, place) => {
          const found = at(place);
          set(one, { class: found ? (found.isMarked ? "is-marked" : "") : "is-absent" });
          const text = found?.text ?? "";
          set(number, {
            text, y: top + (found?.below ? tall * 0.38 : tall / 2),
            style: `font-size: ${Math.min(15, (wide * 1.6) / Math.max(text.length, 1))}px`,
          });
          set(below, { text: found?.below ?? "" });
        });
      },
    };
  }
  const cellsF = cellRow(rowF, "input", CELL), cellsP = cellRow(rowP, "product", CELL * 0.7), cellsY = cellRow(rowY, "output", CELL);
  const cellsG = flippingCells({ rows: 1, columns: taps, width: wide, height: CELL });
  const labels = svg("g", { class: "row-labels" });
  /** @type {[number, string][]} */
  const rows = [[rowF + CELL / 2, "f"], [rowG + CELL / 2, "g"], [rowP + CELL * 0.35, "·"], [rowY + CELL / 2, "y"]];
  const texts = rows.map(([at]) => svg("text", { x: LEFT - 8, y: at, "text-anchor": "end", "dominant-baseline": "central" }));
  labels.append(...texts);

  const surface = svg("rect", { class: "surface", x: LEFT, y: rowF - 6, width: right - LEFT, height: height - rowF });
  const drawing = svg("svg", {
    class: "line-picture", viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "group",
    "aria-label": say("convolution.line.picture"),
  }, band, chart.element, marks, now, outline, cellsF.group, cellsG.element, cellsP.group, cellsY.group, labels, surface);
  const element = html("div", { class: "scroll" }, drawing);
  let first = 0; // the element of f in the first cell

  /** @param {PointerEvent} event @param {boolean} isCell */
  function point(event, isCell) {
    const matrix = drawing.getScreenCTM();
    if (!matrix) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse()).x;
    const place = isCell ? first + Math.floor((at - LEFT) / wide) : Math.floor(((at - LEFT) / (right - LEFT)) * length);
    onPoint(Math.min(Math.max(place, 0), length - 1));
  }
  surface.addEventListener("pointerdown", (event) => {
    surface.setPointerCapture(event.pointerId);
    if (!isLong) point(event, true);
  });
  surface.addEventListener("pointermove", (event) => {
    if (event.buttons && !isLong) point(event, true);
  });
  if (isLong) {
    const hit = svg("rect", { class: "surface", x: LEFT, y: TOP, width: right - LEFT, height: CHART });
    hit.addEventListener("pointerdown", (event) => {
      hit.setPointerCapture(event.pointerId);
      point(event, false);
    });
    hit.addEventListener("pointermove", (event) => {
      if (event.buttons) point(event, false);
    });
    drawing.append(hit);
  }

  /** @param {LineView} view @param {(x: number) => boolean} ringed */
  function show({ f, g, at, origin, flip, y, other }, ringed) {
    const start = windowStart(at, taps, origin, flip);
    first = isLong ? start - AROUND : -margin;
    chart.show([
      { kind: "input", values: f }, { kind: "output", values: y },
      ...(other ? [{ kind: "output", values: other, isDashed: true }] : []),
    ], ringed);
    const step = isLong ? (right - LEFT) / length : cell;
    set(band, { x: x(start) - step / 2, width: Math.max(step * taps, 2) });
    set(now, { d: `M${x(at)} ${TOP}V${TOP + CHART}` });
    const leftG = LEFT + (start - first) * wide;
    set(outline, { x: leftG - 3, width: taps * wide + 6 });
    const inside = (/** @type {number} */ i) => i >= 0 && i < length;
    cellsF.show((place) => {
      const i = first + place;
      return inside(i) ? { text: cellNumber(f[i], 2), below: `f(${i})` } : null;
    });
    const zero = originIndex(taps, origin, flip);
    cellsG.show({
      values: g, flipped: flip, x: leftG, y: rowG, text: shortNumber,
      below: (k) => `g(${k - zero})`.replace("-", "−"),
      isIdle: (k) => !inside(start + (flip ? taps - 1 - k : k)),
    });
    cellsP.show((place) => {
      const i = first + place, slot = i - start;
      if (slot < 0 || slot >= taps || !inside(i)) return null;
      return { text: cellNumber(f[i] * g[flip ? taps - 1 - slot : slot], 2) };
    });
    cellsY.show((place) => {
      const i = first + place;
      return inside(i) ? { text: cellNumber(y[i], 2), below: `y(${i})`, isMarked: i === at } : null;
    });
    ["f", flip ? say("convolution.line.flipped") : "g", "f · g", "y"].forEach((text, index) => set(texts[index], { text }));
    // The window stays in sight where the drawing is wider than the screen.
    const scale = drawing.clientWidth / WIDTH;
    const [from, to] = [(leftG - 60) * scale, (leftG + (taps + 1) * wide) * scale];
    if (from < element.scrollLeft || to > element.scrollLeft + element.clientWidth)
      element.scrollLeft = (from + to - element.clientWidth) / 2;
  }
  return { element, show };
}
