// A layer with channels and filters: one output is a sum over the window and all channels, plus a bias.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { positionsOf } from "../../maths/derivation.js";
import { channelsLast, filledUp, volumeSum } from "../../maths/layer/volume_sum.js";
import { wholesFrom } from "../../maths/seeded_numbers.js";
import { codeView } from "../../parts/code_view.js";
import { numberControl } from "../../parts/controls.js";
import { numberGrid } from "../../parts/number_grid.js";
import { questionsOf } from "../../parts/questions.js";
import { matrixFields } from "../../parts/typed_field.js";
import { cellNumber, shortNumber } from "../../parts/written_sum.js";
import { volumePicture } from "./volume_picture.js";

/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../maths/layer/volume_sum.js").LayerSizes} LayerSizes */

export const MOST_ROWS = 9;
export const MOST_CHANNELS = 4;

/** A negative number in brackets. @param {number} value */
const factor = (value) => (value < 0 ? `(${shortNumber(value)})` : shortNumber(value));

/**
 * @param {import("../../core/room.js").Lab} lab
 * @returns {{element: HTMLElement, show: (state: State) => void}}
 */
export function sumView(lab) {
  const sliders = /** @type {const} */ ([
    ["rows", 1, MOST_ROWS], ["columns", 1, MOST_ROWS], ["channels", 1, MOST_CHANNELS], ["filters", 1, MOST_CHANNELS],
    ["size", 1, 5], ["stride", 1, 4], ["padding", 0, 2], ["seed", 1, 999_999],
  ]).map(([name, least, most]) => ({ name, control: numberControl({
    label: say(`layer.sum.sizes.${name}`), least, most,
    // Typed numbers belong to the sizes for which they were typed; with other sizes all are drawn anew.
    onChange: (value) => lab.change({ [name]: value, ...(["stride", "padding"].includes(name) ? {} : { input: [], weights: [] }) }),
  }) }));
  const problem = html("p", { class: "note", role: "alert", hidden: true });
  const picture = volumePicture((row, column) => lab.change({ row, column }));
  const inputs = html("div", { class: "grids layer-column" }), filters = html("div", { class: "layer-filters" }), outputs = html("div", { class: "grids layer-column" });
  const steps = html("ol", { class: "channel-sums" }), total = html("p", { class: "channel-total" });
  const inputFields = html("div", { class: "fields-row" }), filterFields = html("div", { class: "fields-row" });
  const bias = matrixFields({ label: say("layer.sum.biases"), name: (_, k) => say("layer.sum.bias_of", { filter: k }), onChange: ({ values }) => lab.change({ biases: values }) });
  const counts = html("p", { class: "hint" }), code = codeView(lab);
  const main = html("div", {},
    html("div", { class: "layer-table" },
      html("section", {}, html("h3", { class: "is-input", text: say("layer.sum.input") }), inputs),
      html("section", {}, html("h3", { class: "is-mark", text: say("layer.sum.filter_heads") }), filters),
      html("section", {}, html("h3", { class: "is-output", text: say("layer.sum.output") }), outputs)),
    steps, total);
  const element = html("div", {},
    html("section", { class: "card" }, html("h2", { text: say("layer.sum.heading") }), html("p", { text: say("layer.sum.lead") }), problem, main),
    html("div", { class: "columns" },
      html("section", { class: "card" }, html("h2", { text: say("layer.volumes.heading") }), html("p", { text: say("layer.volumes.lead") }), picture.element, counts),
      html("section", { class: "card" }, html("h2", { text: say("layer.sum.sizes.heading") }),
        html("div", { class: "controls" }, ...sliders.map(({ control }) => control.element)),
        html("h3", { text: say("layer.sum.own_input") }), inputFields, html("h3", { text: say("layer.sum.own_filter") }), filterFields,
        html("h3", { text: say("layer.sum.biases") }), bias.element),
      html("section", { class: "card" }, html("h2", { text: say("questions.heading") }),
        ...questionsOf(lab, "layer.sum.questions", {
          channels: { channels: 2, input: [], weights: [] }, depth: { filters: 4, input: [], weights: [] }, bias: null, larger: null, flip: null,
        }))),
    code.element);

  let built = "";
  /** @type {ReturnType<typeof build> | null} */
  let made = null;

  /** @param {LayerSizes} sizes @param {readonly number[]} down */
  function build(sizes, [down, across]) {
    const { rows, columns, channels, size, padding } = sizes;
    const wide = columns + 2 * padding, tall = rows + 2 * padding;
    const cell = Math.max(20, Math.min(32, 230 / Math.max(tall, wide)));
    const grid = (/** @type {string} */ label, /** @type {number} */ r, /** @type {number} */ c, /** @type {string} */ kind, /** @type {((row: number, column: number) => void) | undefined} */ onPoint) =>
      numberGrid({ label, rows: r, columns: c, cell, kind, onPoint });
    const each = (/** @type {number} */ count) => Array.from({ length: count }, (_, index) => index);
    const input = each(channels).map((c) => grid(say("layer.sum.channel", { n: c }), tall, wide, "input", undefined));
    const weights = each(sizes.filters).map((k) => each(channels).map((c) => grid(say("layer.sum.filter_channel", { filter: k, n: c }), size, size, "filter", undefined)));
    const output = each(sizes.filters).map((k) => grid(say("layer.sum.output_of", { filter: k }), down, across, "output", (row, column) => lab.change({ row, column, filter: k })));
    const figure = (/** @type {{element: Element}} */ { element: drawing }, /** @type {string} */ text) => html("figure", {}, drawing, html("figcaption", { text }));
    inputs.replaceChildren(...input.map((one, c) => figure(one, say("layer.sum.channel", { n: c }))));
    filters.replaceChildren(...weights.map((some, k) => html("div", { class: "grids layer-column" }, html("h4", { text: say("layer.sum.filter_n", { filter: k }) }), ...some.map((one, c) => figure(one, say("layer.sum.channel", { n: c }))))));
    outputs.replaceChildren(...output.map((one, k) => figure(one, say("layer.sum.output_of", { filter: k }))));
    const own = each(channels).map((channel) => ({
      input: matrixFields({ label: say("layer.sum.channel", { n: channel }), name: (r, c) => `X(${channel}, ${r}, ${c})`, onChange: ({ values }) =>
        lab.change({ input: replaced(numbersOf(lab.state(), sizes).input, channel * rows * columns, values) }) }),
      filter: matrixFields({ label: say("layer.sum.filter_channel", { filter: 0, n: channel }), name: (r, c) => `W(${channel}, ${r}, ${c})`, onChange: ({ values }) => {
        const k = Math.min(lab.state().filter, sizes.filters - 1);
        lab.change({ weights: replaced(numbersOf(lab.state(), sizes).weights, (k * channels + channel) * size * size, values) });
      } }),
    }));
    inputFields.replaceChildren(...own.map((one) => one.input.element));
    filterFields.replaceChildren(...own.map((one) => one.filter.element));
    return { input, weights, output, own };
  }

  /** @param {State} state */
  function show(state) {
    const sizes = /** @type {LayerSizes} */ ({ ...state });
    const { rows, columns, channels, size, stride, padding } = sizes;
    for (const { name, control } of sliders) control.show(state[name]);
    const found = positionsOf([rows + 2 * padding, columns + 2 * padding], [size, size], [stride, stride], "none");
    problem.hidden = !("name" in found);
    main.hidden = code.element.hidden = "name" in found;
    if ("name" in found) {
      problem.textContent = say(`layer.sum.problem.${found.name}`, found.values);
      return;
    }
    const [down, across] = found.positions;
    const key = [rows, columns, channels, sizes.filters, size, padding, down, across].join();
    if (key !== built) {
      built = key;
      made = build(sizes, found.positions);
    }
    const row = Math.min(state.row, down - 1), column = Math.min(state.column, across - 1), filter = Math.min(state.filter, sizes.filters - 1);
    const { input, weights, biases } = numbersOf(state, sizes);
    const text = (/** @type {number} */ value) => cellNumber(value, 2);
    const wide = columns + 2 * padding;
    const window = { row: row * stride, column: column * stride, rows: size, columns: size, kind: "input" };
    made?.input.forEach((grid, channel) => grid.show({
      values: Array.from({ length: (rows + 2 * padding) * wide }, (_, at) => {
        const r = Math.floor(at / wide) - padding, c = (at % wide) - padding;
        return r >= 0 && c >= 0 && r < rows && c < columns ? input[(channel * rows + r) * columns + c] : 0;
      }),
      text, frames: [window],
      fill: (at) => {
        const r = Math.floor(at / wide) - padding, c = (at % wide) - padding;
        return r >= 0 && c >= 0 && r < rows && c < columns ? "var(--input-soft)" : "var(--fill)";
      },
    }));
    made?.weights.forEach((some, k) => some.forEach((grid, channel) => grid.show({
      values: weights.slice((k * channels + channel) * size * size, (k * channels + channel + 1) * size * size), text,
      frames: k === filter ? [{ row: 0, column: 0, rows: size, columns: size, kind: "mark" }] : [],
    })));
    made?.output.forEach((grid, k) => grid.show({
      values: Array.from({ length: down * across }, (_, at) => volumeSum(sizes, input, weights, biases, Math.floor(at / across), at % across, k).total), text,
      place: k === filter ? { row, column } : null,
      frames: k === filter ? [{ row, column, rows: 1, columns: 1, kind: "output" }] : [],
    }));
    made?.own.forEach((one, channel) => {
      one.input.show({ rows, columns, values: input.slice(channel * rows * columns, (channel + 1) * rows * columns) });
      const at = (filter * channels + channel) * size * size;
      one.filter.show({ rows: size, columns: size, values: weights.slice(at, at + size * size) });
    });
    bias.show({ rows: 1, columns: sizes.filters, values: biases });
    code.show(state.code, () => ({ kind: "layer", ...channelsLast(sizes, input, weights), bias: biases, stride, padding }));
    const sum = volumeSum(sizes, input, weights, biases, row, column, filter);
    while (steps.childElementCount > channels) steps.lastElementChild?.remove();
    while (steps.childElementCount < channels) steps.append(html("li"));
    sum.products.forEach((some, channel) => set(steps.children[channel], {
      text: say("layer.sum.channel_sum", {
        n: channel, products: some.map(({ value, weight }) => `${factor(value)}·${factor(weight)}`).join(" + "), sum: written(sum.sums[channel]),
      }),
    }));
    set(total, { text: say("layer.sum.total", {
      row, column, filter, sums: sum.sums.map(factor).join(" + "), bias: factor(sum.bias), total: written(sum.total),
    }) });
    picture.show({ rows, columns, channels, padding, size, stride, down, across, filters: sizes.filters, row, column });
    const each = size * size * channels;
    set(counts, { text: say("layer.volumes.counts", {
      size, channels, each, filters: sizes.filters, weights: each * sizes.filters, down, across,
      rows: rows + 2 * padding, columns: columns + 2 * padding, stride,
      exact: `(${rows} − ${size} + 2·${padding})/${stride} + 1 = ${down}`,
    }) });
  }
  return { element, show };
}

/**
 * Input, weights and biases: those typed, and drawn ones where there are none.
 *
 * @param {State} state
 * @param {LayerSizes} sizes
 */
function numbersOf(state, { rows, columns, channels, filters, size }) {
  return {
    input: filledUp(state.input, wholesFrom(state.seed, rows * columns * channels, 0, 2)),
    weights: filledUp(state.weights, wholesFrom(state.seed + 1, filters * channels * size * size, -1, 1)),
    biases: filledUp(state.biases, new Array(filters).fill(0)),
  };
}

/** @param {readonly number[]} all @param {number} from @param {readonly number[]} values */
function replaced(all, from, values) {
  return [...all.slice(0, from), ...values, ...all.slice(from + values.length)];
}
