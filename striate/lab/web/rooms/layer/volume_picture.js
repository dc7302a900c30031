// Input and output of a layer as volumes: the window goes through all channels, and the units that read
// it lie behind each other, one for each filter: the depth column.

import { svg, set } from "../../core/dom.js";
import { say } from "../../core/texts.js";

/**
 * @typedef {object} VolumeView
 * @property {number} rows
 * @property {number} columns
 * @property {number} channels
 * @property {number} padding
 * @property {number} size
 * @property {number} stride
 * @property {number} down - rows of the output.
 * @property {number} across
 * @property {number} filters
 * @property {number} row - of the output.
 * @property {number} column
 */

const WIDTH = 560, HEIGHT = 300;

/**
 * @param {(row: number, column: number) => void} onPoint - a depth column is chosen.
 * @returns {{element: SVGSVGElement, show: (view: VolumeView) => void}}
 */
export function volumePicture(onPoint) {
  const outlines = svg("g", { class: "volume-outlines" }), marks = svg("g", { class: "volume-marks" }), rays = svg("g", { class: "volume-rays" }), hits = svg("g", { class: "volume-hits" });
  const labels = svg("g");
  const element = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img", class: "volumes" }, outlines, rays, marks, hits, labels);
  return {
    element,
    show(view) {
      const { rows, columns, channels, padding, size, stride, down, across, filters, row, column } = view;
      const tall = rows + 2 * padding, wide = columns + 2 * padding;
      const unit = Math.min(22, 170 / Math.max(tall, wide, down, across));
      const depth = unit * 0.9;
      /** A point of a volume. @param {number} left @param {number} c @param {number} r @param {number} d */
      const at = (left, c, r, d) => [left + c * unit + d * depth * 0.75, 240 - (d * depth) * 0.55 - r * unit];
      /**
       * The three faces of a box that are seen: front, top, right.
       *
       * @param {number} left @param {number} total @param {number} c @param {number} r @param {number} w @param {number} h @param {number} d0 @param {number} d1
       */
      const box = (left, total, c, r, w, h, d0, d1) => {
        const low = total - r - h, high = total - r;
        const p = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ d) => at(left, x, y, d).map((n) => n.toFixed(1)).join(" ");
        return `M${p(c, low, d0)}L${p(c + w, low, d0)}L${p(c + w, high, d0)}L${p(c, high, d0)}Z`
          + `M${p(c, high, d0)}L${p(c, high, d1)}L${p(c + w, high, d1)}L${p(c + w, high, d0)}Z`
          + `M${p(c + w, high, d1)}L${p(c + w, low, d1)}L${p(c + w, low, d0)}L${p(c + w, high, d0)}Z`;
      };
      const right = 330;
      const paths = [
        ["volume is-input", box(20, tall, 0, 0, wide, tall, 0, channels)],
        ...(padding ? [["volume is-inner is-input", box(20, tall, padding, padding, columns, rows, 0, channels)]] : []),
        ...Array.from({ length: filters - 1 }, (_, k) => ["volume is-inner is-output", box(right, down, 0, 0, across, down, 0, k + 1)]),
        ["volume is-output", box(right, down, 0, 0, across, down, 0, filters)],
      ];
      fill(outlines, paths.length, () => svg("path")).forEach((path, index) => set(path, { class: paths[index][0], d: paths[index][1] }));
      const r0 = row * stride, c0 = column * stride;
      const marked = [
        ["volume-window", box(20, tall, c0, r0, size, size, 0, channels)],
        ...Array.from({ length: filters }, (_, k) => filters - 1 - k).map((k) => ["volume-column", box(right, down, column, row, 1, 1, k, k + 1)]),
      ];
      fill(marks, marked.length, () => svg("path")).forEach((path, index) => set(path, { class: marked[index][0], d: marked[index][1] }));
      const [x1, y1] = at(right, column, down - row - 0.5, 0);
      const corners = [[c0 + size, tall - r0, 0], [c0 + size, tall - r0 - size, 0], [c0 + size, tall - r0, channels]];
      fill(rays, 3, () => svg("line")).forEach((line, index) => {
        const [x, y] = at(20, corners[index][0], corners[index][1], corners[index][2]);
        set(line, { x1: x, y1: y, x2: x1, y2: y1 });
      });
      const places = down * across;
      fill(hits, places, () => {
        const hit = svg("rect", { class: "volume-hit" });
        hit.addEventListener("click", () => onPoint(Number(hit.dataset.row), Number(hit.dataset.column)));
        hit.addEventListener("pointerenter", () => onPoint(Number(hit.dataset.row), Number(hit.dataset.column)));
        return hit;
      }).forEach((hit, place) => {
        const r = Math.floor(place / across), c = place % across;
        const [x, y] = at(right, c, down - r, 0);
        set(hit, { x, y, width: unit, height: unit, "data-row": r, "data-column": c });
      });
      const said = [
        [20, 262, say("layer.volumes.input", { rows: tall, columns: wide, channels })],
        [right, 262, say("layer.volumes.output", { rows: down, columns: across, filters })],
        [right, 284, say("layer.volumes.column", { n: filters, row, column })],
      ];
      fill(labels, said.length, () => svg("text")).forEach((text, index) => set(text, { x: said[index][0], y: said[index][1], text: said[index][2] }));
      set(element, { "aria-label": said.map((one) => one[2]).join(". ") });
    },
  };
}

/**
 * @template {SVGElement} Made
 * @param {SVGGElement} parent
 * @param {number} wanted
 * @param {() => Made} make
 * @returns {Made[]}
 */
function fill(parent, wanted, make) {
  while (parent.childElementCount < wanted) parent.append(make());
  while (parent.childElementCount > wanted) parent.lastElementChild?.remove();
  return /** @type {any[]} */ ([...parent.children]);
}
