// A "2" whose stroke is altered and which is moved: what edges and pooling make of it.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { drawnTwo, levelEdges, strongPlaces } from "../../maths/layer/drawn_two.js";
import { pooled } from "../../maths/layer/pooling.js";
import { choiceControl, numberControl } from "../../parts/controls.js";
import { questionsOf } from "../../parts/questions.js";

/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../maths/typed_numbers.js").Matrix} Matrix */

export const MOST_MOVE = 5;

/** A map on a canvas; marked places are red. @param {string} label */
function mapView(label) {
  const canvas = html("canvas", { class: "pixel-map", role: "img", "aria-label": label });
  return {
    element: html("figure", {}, canvas, html("figcaption", { text: label })),
    /** @param {Matrix} matrix @param {number} white @param {readonly number[]} marked */
    show({ rows, columns, values }, white, marked = []) {
      if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
      const image = new ImageData(columns, rows), red = new Set(marked);
      values.forEach((value, at) => {
        const shade = Math.round((255 * value) / (white || 1));
        image.data.set(red.has(at) ? [225, 40, 40, 255] : [shade, shade, shade, 255], 4 * at);
      });
      canvas.getContext("2d")?.putImageData(image, 0, 0);
    },
  };
}

/**
 * @param {import("../../core/room.js").Lab} lab
 * @returns {{element: HTMLElement, show: (state: State) => void}}
 */
export function strokeView(lab) {
  const level = numberControl({ label: say("layer.stroke.level"), least: 0, most: 100, onChange: (value) => lab.change({ level2: value }) });
  const pool = choiceControl({ label: say("layer.stroke.pool"), choices: [["1", say("layer.stroke.no_pool")], ["2", "2×2"], ["4", "4×4"], ["7", "7×7"]], onChange: (value) => lab.change({ pool: value }) });
  const [down, across] = /** @type {const} */ (["down", "across"]).map((name) =>
    numberControl({ label: say(`layer.stroke.${name}`), least: -MOST_MOVE, most: MOST_MOVE, onChange: (value) => lab.change({ [name]: value }) }));
  const maps = ["before", "after"].map((row) => ["digit", "edges", "pooled"].map((name) => mapView(say(`layer.stroke.${name}`, { which: say(`layer.stroke.${row}`) }))));
  const kept = html("p", { role: "status" }), moved = html("p");
  const element = html("div", {}, html("section", { class: "card" }, html("h2", { text: say("layer.stroke.heading") }), html("p", { text: say("layer.stroke.lead") }),
    html("div", { class: "controls" }, level.element, pool.element, down.element, across.element),
    html("div", { class: "maps" }, ...maps.flat().map((one) => one.element)), kept,
    html("h3", { text: say("layer.stroke.moved_heading") }), moved),
    html("section", { class: "card" }, html("h2", { text: say("questions.heading") }),
      ...questionsOf(lab, "layer.stroke.questions", {
        altered: { level2: 20, pool: "4", down: 0, across: 0 }, unpooled: { level2: 0, pool: "1", down: 1, across: 1 },
        moved: { level2: 0, pool: "4", down: 2, across: 3 }, larger: { level2: 0, pool: "7", down: 1, across: 1 },
      })));
  return {
    element,
    /** @param {State} state */
    show(state) {
      level.show(state.level2);
      pool.show(state.pool);
      down.show(state.down);
      across.show(state.across);
      const size = Number(state.pool);
      const digits = [drawnTwo(0, 0, 0), drawnTwo(state.level2 / 100, state.down, state.across)];
      const edges = digits.map(levelEdges);
      const pools = edges.map((map) => pooled(map, size, size, "max"));
      const places = strongPlaces(pools[0].values, pools[1].values);
      maps.forEach((row, index) => {
        row[0].show(digits[index], 255);
        row[1].show(edges[index], Math.max(...edges[index].values));
        row[2].show(pools[index], Math.max(...pools[index].values), index ? places.kept : places.strong);
      });
      const { strong, kept: still } = places;
      set(kept, { text: say("layer.stroke.kept", { strong: strong.length, kept: still.length, percent: written((100 * still.length) / strong.length, 0), size }) });
      // The same altered digit, not moved: its edges, moved by as much, are those of the moved digit.
      const still2 = levelEdges(drawnTwo(state.level2 / 100, 0, 0));
      let apart = 0;
      edges[1].values.forEach((value, at) => {
        const row = Math.floor(at / edges[1].columns) - state.down, column = (at % edges[1].columns) - state.across;
        if (row >= 0 && column >= 0 && row < still2.rows && column < still2.columns) apart = Math.max(apart, Math.abs(value - still2.values[row * still2.columns + column]));
      });
      const still3 = pooled(still2, size, size, "max");
      const changed = still3.values.filter((value, at) => value !== pools[1].values[at]).length;
      set(moved, { text: say("layer.stroke.moved", {
        down: state.down, across: state.across, apart: written(apart), changed, cells: still3.values.length,
        before: written(Math.max(...still2.values)), after: written(Math.max(...edges[1].values)),
      }) });
    },
  };
}
