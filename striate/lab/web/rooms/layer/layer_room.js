// A layer: an output of a volume written out, and what units of stacked layers see.

import { html, set, svg } from "../../core/dom.js";
import { whole } from "../../core/fields.js";
import { say, written } from "../../core/texts.js";
import { typedList } from "../../core/typed_fields.js";
import { layerSum, placesAlong, pyramid } from "../../maths/volume.js";
import { numberControl } from "../../parts/controls.js";
import { numberGrid } from "../../parts/number_grid.js";
import { matrixFields } from "../../parts/typed_field.js";

/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../core/room.js").Lab} Lab */

const SIDE = 7;
const CHANNELS = 3;
const FILTERS = 2;
const TAPS = 3;
/** Small whole numbers to begin with. @param {number} count @param {number} step @param {number} most */
const some = (count, step, most) => Array.from({ length: count }, (_, i) => ((i * step + 4) % 11) % (most + 1));
const X = some(SIDE * SIDE * CHANNELS, 7, 2);
const W = some(TAPS * TAPS * CHANNELS * FILTERS, 5, 2).map((one) => one - 1);

/** @type {import("../../core/room.js").Room} */
export const layer_room = {
  id: "layer",
  fields: {
    x: typedList(X, X.length), weights: typedList(W, W.length), biases: typedList([1, 0], FILTERS),
    stride: whole(2, 1, 4), padding: whole(0, 0, 2), row: whole(0, 0, 8), column: whole(0, 0, 8), filter: whole(0, 0, FILTERS - 1),
    inputs: whole(5, 1, 15), unit: whole(0, 0, 14), depth: whole(2, 1, 4),
    fieldSide: whole(3, 1, 5), fieldStride: whole(1, 1, 3),
  },
  open(place, lab) {
    const volume = volumeView(lab), fields = pyramidView(lab);
    place.append(volume.element, fields.element);
    return { show(state) {
      volume.show(state);
      fields.show(state);
    } };
  },
};

/** @param {Lab} lab */
function volumeView(lab) {
  const control = (/** @type {string} */ name, /** @type {number} */ least, /** @type {number} */ most) =>
    numberControl({ label: say(`layer.controls.${name}`), least, most, onChange: (value) => lab.change({ [name]: value }) });
  const controls = { stride: control("stride", 1, 4), padding: control("padding", 0, 2), filter: control("filter", 0, FILTERS - 1) };
  const note = html("p", { class: "hint" }), total = html("p", { class: "layer-total", "aria-live": "polite" });
  const pick = (/** @type {number} */ row, /** @type {number} */ column) => lab.change({ row, column });
  const planes = Array.from({ length: CHANNELS }, (_, channel) => ({
    input: matrixFieldsOf("x", channel, SIDE), filter: matrixFieldsOf("weights", channel, TAPS),
    grid: numberGrid({ label: say("layer.plane", { n: channel }), rows: SIDE, columns: SIDE, cell: 30, margin: 2, kind: "input" }),
    weights: numberGrid({ label: say("layer.filter_plane", { n: channel }), rows: TAPS, columns: TAPS, cell: 34, kind: "filter" }),
    sum: html("span"),
  }));
  /** @param {string} field @param {number} channel @param {number} side */
  function matrixFieldsOf(field, channel, side) {
    return matrixFields({
      label: say(field === "x" ? "layer.plane" : "layer.filter_plane", { n: channel }), name: (row, column) => `${row}, ${column}`,
      onChange: ({ values }) => {
        const state = lab.state(), all = field === "x" ? state.x : state.weights, next = [...all];
        values.forEach((value, index) => (next[field === "x" ? index * CHANNELS + channel : (index * CHANNELS + channel) * FILTERS + state.filter] = value));
        lab.change({ [field]: next });
      },
    });
  }
  const output = html("div");
  let built = "";
  /** @type {ReturnType<typeof numberGrid> | null} */
  let map = null;
  const element = html("section", { class: "card" }, html("h2", { text: say("layer.volume") }),
    html("div", { class: "controls" }, ...Object.values(controls).map((one) => one.element)),
    ...planes.map(({ grid, weights, sum }) => html("div", { class: "channels" }, grid.element, html("span", { text: "∘" }), weights.element, sum)),
    html("div", { class: "channels" }, output, total), note,
    html("details", {}, html("summary", { text: say("layer.own") }), ...planes.flatMap(({ input, filter }) => [input.element, filter.element])));
  return {
    element,
    /** @param {State} state */
    show(state) {
      const sizes = { rows: SIDE, columns: SIDE, channels: CHANNELS, filters: FILTERS, side: TAPS, stride: state.stride, padding: state.padding };
      const { count, unread } = placesAlong(SIDE, TAPS, state.stride, state.padding);
      const row = Math.min(state.row, count - 1), column = Math.min(state.column, count - 1);
      const x = X.map((one, i) => state.x[i] ?? one), weights = W.map((one, i) => state.weights[i] ?? one), biases = [state.biases[0] ?? 0, state.biases[1] ?? 0];
      const found = layerSum(x, weights, biases, sizes, row, column, state.filter);
      const window = { row: row * state.stride - state.padding, column: column * state.stride - state.padding, rows: TAPS, columns: TAPS };
      planes.forEach(({ grid, weights: own, input, filter, sum }, channel) => {
        const plane = x.filter((_, i) => i % CHANNELS === channel);
        grid.show({ values: plane, frames: [{ ...window, kind: "input" }] });
        own.show({ values: found.channels[channel].weights, frames: [{ row: 0, column: 0, rows: TAPS, columns: TAPS, kind: "mark" }] });
        input.show({ rows: SIDE, columns: SIDE, values: plane });
        filter.show({ rows: TAPS, columns: TAPS, values: found.channels[channel].weights });
        set(sum, { text: `= ${written(found.channels[channel].sum)}` });
      });
      if (built !== String(count)) {
        built = String(count);
        map = numberGrid({ label: say("layer.output"), rows: count, columns: count, cell: 40, kind: "output", onPoint: pick });
        output.replaceChildren(map.element);
      }
      map?.show({
        values: Array.from({ length: count * count }, (_, i) => layerSum(x, weights, biases, sizes, Math.floor(i / count), i % count, state.filter).total),
        frames: [{ row, column, rows: 1, columns: 1, kind: "output" }], place: { row, column },
      });
      set(total, { text: `${found.channels.map(({ sum }) => (sum < 0 ? `(${written(sum)})` : written(sum))).join(" + ")} + ${written(biases[state.filter])} = ${written(found.total)}` });
      set(note, { text: unread ? say("layer.unread", { n: unread }) : say("layer.sizes", { count }) });
      for (const [name, one] of Object.entries(controls)) one.show(state[name]);
    },
  };
}

/** @param {Lab} lab */
function pyramidView(lab) {
  const control = (/** @type {string} */ name, /** @type {number} */ least, /** @type {number} */ most) =>
    numberControl({ label: say(`layer.controls.${name}`), least, most, onChange: (value) => lab.change({ [name]: value }) });
  const controls = { inputs: control("inputs", 1, 15), depth: control("depth", 1, 4), fieldSide: control("fieldSide", 1, 5), fieldStride: control("fieldStride", 1, 3), unit: control("unit", 0, 14) };
  const drawing = html("div"), sentence = html("p", { class: "field-said", "aria-live": "polite" });
  return {
    element: html("section", { class: "card" }, html("h2", { text: say("layer.fields") }),
      html("div", { class: "controls" }, ...Object.values(controls).map((one) => one.element)), drawing, sentence),
    /** @param {State} state */
    show(state) {
      const layers = Array.from({ length: state.depth }, () => ({ side: state.fieldSide, stride: state.fieldStride }));
      const top = pyramid(state.inputs, layers, 0).counts[state.depth];
      for (const [name, one] of Object.entries(controls)) one.show(state[name]);
      if (!top) {
        drawing.replaceChildren();
        sentence.textContent = say("layer.field_none", { inputs: state.inputs, depth: state.depth, side: state.fieldSide });
        return;
      }
      const unit = Math.min(state.unit, top - 1), { counts, spans } = pyramid(state.inputs, layers, unit);
      const gap = 600 / Math.max(state.inputs, 4), at = (/** @type {number} */ level, /** @type {number} */ i) =>
        [310 + (i - (counts[level] - 1) / 2) * gap, 30 + (state.depth - level) * 80];
      const isSeen = (/** @type {number} */ level, /** @type {number} */ i) => i >= spans[level][0] && i <= spans[level][1];
      const lines = layers.flatMap(({ side, stride }, level) => Array.from({ length: counts[level + 1] * side }, (_, n) => {
        const to = Math.floor(n / side), from = to * stride + (n % side), [x1, y1] = at(level, from), [x2, y2] = at(level + 1, to);
        return svg("line", { x1, y1, x2, y2, class: isSeen(level + 1, to) && "is-seen" });
      }));
      const nodes = counts.flatMap((count, level) => Array.from({ length: count }, (_, i) => {
        const [cx, cy] = at(level, i);
        return svg("g", { class: isSeen(level, i) && "is-seen", onclick: () => level === state.depth && lab.change({ unit: i }) }, svg("circle", { cx, cy, r: 14 }),
          svg("text", { x: cx, y: cy, "text-anchor": "middle", "dominant-baseline": "central", text: `${level === 0 ? "x" : level === state.depth ? "y" : "h"}${i + 1}` }));
      }));
      sentence.textContent = say("layer.field_said", { unit: unit + 1, first: spans[0][0] + 1, last: spans[0][1] + 1, size: spans[0][1] - spans[0][0] + 1 });
      drawing.replaceChildren(svg("svg", { class: "pyramid", viewBox: `0 0 620 ${60 + state.depth * 80}`, role: "img", "aria-label": sentence.textContent }, ...lines, ...nodes));
    },
  };
}
