// From a fully connected network to a convolution: the twelve figures of the article, one by one.

import { html, set } from "../../core/dom.js";
import { choice, numbers, whole } from "../../core/fields.js";
import { say } from "../../core/texts.js";
import { matrixField, typedList } from "../../core/typed_fields.js";
import { chosenWindows, layerCounts, pixelsRead } from "../../maths/derivation.js";
import { linesAt, STOPS } from "../../maths/derivation_lines.js";
import { readMatrix } from "../../maths/typed_numbers.js";
import { codeField, codeView } from "../../parts/code_view.js";
import { pictureSource } from "../../parts/picture_source.js";
import { player } from "../../parts/player.js";
import { questionsOf } from "../../parts/questions.js";
import { scrolling } from "../../parts/scrolling.js";
import { ablationView, calculator, FUNCTIONS, grouped } from "./claims_view.js";
import { denseImage, MOST_NEURONS, MOST_SIDE, weightsOf } from "./dense_numbers.js";
import { denseSettings, EXAMPLES } from "./dense_settings.js";
import { figureSum } from "./figure_code.js";
import { MOST_APART, nearView } from "./near_view.js";
import { networkPicture } from "./network_picture.js";
import { windowSum } from "./window_sum.js";

/** @typedef {import("../../core/room.js").Room} Room */
/** @typedef {import("../../core/room.js").Lab} Lab */
/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../maths/pixels.js").Picture} Picture */

const LAST = STOPS.moving;
const IMAGE = /** @type {import("../../maths/typed_numbers.js").Matrix} */ (readMatrix("180 200 90; 150 60 30; 220 40 10"));

/** @type {Room} */
export const dense_room = {
  id: "dense",
  fields: {
    stop: whole(0, 0, LAST),
    source: choice("own", ["own", "digit", "photo"]),
    matrix: matrixField(IMAGE, MOST_SIDE),
    digit: whole(2, 0, 9),
    rows: whole(3, 1, MOST_SIDE),
    columns: whole(3, 1, MOST_SIDE),
    photoRow: whole(95, 0, 100_000),
    photoColumn: whole(223, 0, 100_000),
    neurons: whole(16, 1, MOST_NEURONS),
    group: whole(4, 1, MOST_NEURONS),
    windowRows: whole(2, 1, MOST_SIDE),
    windowColumns: whole(2, 1, MOST_SIDE),
    stride: whole(1, 1, MOST_SIDE),
    padding: choice("none", ["none", "same"]),
    weights: typedList([1, 2, -1, -2], MOST_NEURONS * MOST_SIDE * MOST_SIDE),
    pixel: whole(0, 0, MOST_SIDE * MOST_SIDE - 1),
    neuron: whole(0, 0, MOST_NEURONS - 1),
    only: choice("", ["", "pixel", "neuron"]),
    code: codeField(),
    apart: whole(8, 1, MOST_APART),
    sizes: numbers([9, 90, 50], 2, 8),
    function: choice("first", Object.keys(FUNCTIONS)),
    inputs: numbers([0.5, 0.5, 0.5, 0.5], 4, 4),
  },
  open,
};

/**
 * @param {HTMLElement} place
 * @param {Lab} lab
 * @returns {import("../../core/room.js").OpenRoom}
 */
function open(place, lab) {
  /** @type {Picture | null} */
  let photo = null;
  /** Pointed at for now. @type {State} */
  let pointed = {};
  const stops = player({ label: say("dense.stop"), first: 1, pause: 2500, onStep: (stop) => lab.change({ stop: Math.min(stop, LAST) }) });
  const turn = player({ label: say("dense.turn"), pause: 900, onStep: (position) => {
    const { neuron, group } = within(lab.state());
    lab.change({ neuron: neuron - (neuron % group) + position, only: "" });
  } });
  const back = html("button", { type: "button", text: say("dense.back"), onclick: () => lab.change({ stop: Math.max(lab.state().stop - 1, 0) }) });
  const next = html("button", { type: "button", class: "main", text: say("dense.next"), onclick: () => lab.change({ stop: Math.min(lab.state().stop + 1, LAST) }) });
  const title = html("h2"), text = html("p"), said = html("p", { class: "hint said" });
  const problem = html("p", { class: "note", role: "alert", hidden: true });
  const network = networkPicture({
    onPoint(what, index) {
      const before = JSON.stringify(pointed);
      pointed = what ? { only: what, [what]: index } : {};
      if (JSON.stringify(pointed) !== before) lab.change({});
    },
    onPick(what, index, isMove = false) {
      pointed = {}; // a mouse that rests must not hide what keys choose
      const { only, ...state } = lab.state();
      const again = what === "" || (!isMove && only === what && state[what] === index);
      lab.change(again ? { only: "" } : { only: what, [what]: index });
    },
  });
  const near = nearView((apart) => lab.change({ apart }));
  const sum = windowSum((position) => {
    const { neuron, group } = within(lab.state());
    lab.change({ neuron: neuron - (neuron % group) + position, only: "" });
  });
  const counts = countsTable(), code = codeView(lab);
  const settings = denseSettings(lab, () => photo);
  const source = pictureSource({ sample: lab.data.photo, onPicture(picture) {
    photo = picture;
    near.open(picture);
    lab.change({});
  } });
  const sums = calculator(lab), ablation = ablationView(lab);
  place.append(
    html("section", { class: "card" },
      stops.element, html("div", { class: "stop-text", "aria-live": "polite" }, title, text),
      html("div", { class: "buttons" }, back, next), problem, turn.element, network.element, near.element, sum.element, said),
    html("div", { class: "columns" },
      html("section", { class: "card" }, html("h2", { text: say("dense.counts.heading") }), counts.element),
      settings.element,
      sums.element, ablation.element,
      html("section", { class: "card" }, html("h2", { text: say("dense.photo") }), html("p", { class: "hint", text: say("dense.photo_hint") }), source.element),
      html("section", { class: "card" }, html("h2", { text: say("questions.heading") }),
        ...questionsOf(lab, "dense.questions", {
          growth: { stop: STOPS.dense }, same: { stop: STOPS.unique }, need: { stop: STOPS.near }, cover: { stop: STOPS.moving, only: "" },
          odd: { ...EXAMPLES.same, stop: STOPS.weights, neuron: 5, only: "neuron" }, groups: { stop: STOPS.moving, neuron: 4, only: "" }, work: { stop: STOPS.patch },
        }))),
    code.element);

  /** The state with what is pointed at, and with indices that are there. @param {State} state */
  function within(state) {
    const image = denseImage(state, photo, lab.data.digits);
    const group = state.neurons % state.group ? state.neurons : state.group;
    return {
      image, group,
      pixel: Math.min(state.pixel, image.matrix.values.length - 1), neuron: Math.min(state.neuron, state.neurons - 1),
    };
  }

  return {
    show(settled) {
      const state = { ...settled, ...pointed };
      const { image, group, pixel, neuron } = within(state);
      const size = /** @type {const} */ ([image.matrix.rows, image.matrix.columns]);
      const wanted = {
        image: size, neurons: state.neurons, group: state.group,
        size: /** @type {const} */ ([state.windowRows, state.windowColumns]),
        stride: /** @type {const} */ ([state.stride, state.stride]), padding: state.padding,
      };
      const { windows, problem: found } = chosenWindows(wanted);
      const isGrouped = state.neurons % state.group === 0;
      const { stop } = state;
      // What cannot be drawn is left out: lines of groups that there are none of, windows that do not fit.
      const lines = isGrouped || stop < STOPS.shared ? linesAt(stop, wanted, windows, pixel, neuron, state.only) : [];
      const first = neuron - (neuron % group);
      const values = {
        rows: size[0], columns: size[1], pixels: grouped(size[0] * size[1]), last: size[0] * size[1] - 1,
        neurons: state.neurons, group, groups: state.neurons / group, pixel, neuron, first, lastOfGroup: first + group - 1,
        dense: grouped(size[0] * size[1] * state.neurons), shared: grouped((size[0] * size[1] * state.neurons) / group),
        taps: state.windowRows * state.windowColumns, window: `${state.windowRows}×${state.windowColumns}`,
        few: windows ? grouped((windows.size[0] * windows.size[1] * state.neurons) / group) : "?",
        read: windows ? placesText(pixelsRead(size, windows, neuron % group), size[1]) : "?",
      };
      title.textContent = say(`dense.stops.${stop}.title`, { n: stop + 1 });
      text.textContent = say(`dense.stops.${stop}.text`, values);
      problem.hidden = !found || stop < STOPS.blocks || stop === STOPS.near;
      set(problem, { text: found ? say(`dense.problem.${found.name}`, found.values) : "" });
      const read = windows ? pixelsRead(size, windows, neuron % group) : [];
      const isWindow = stop >= STOPS.patch && windows !== null && state.only !== "pixel";
      said.textContent = saidOf(lines, state.only, pixel, neuron, stop);
      network.element.hidden = stop === STOPS.near;
      network.show({
        stop, image: image.matrix, white: image.white, neurons: state.neurons, group: isGrouped ? state.group : 0, lines, pixel, neuron,
        only: state.only, said: `${title.textContent} ${said.textContent}`,
        window: isWindow && windows && read.length ? {
          row: Math.floor((neuron % group) / windows.positions[1]) * windows.stride[0] - windows.pads[0],
          column: ((neuron % group) % windows.positions[1]) * windows.stride[1] - windows.pads[2],
          rows: windows.size[0], columns: windows.size[1],
        } : null,
      });
      near.element.hidden = stop !== STOPS.near;
      near.show(state.apart);
      sum.element.hidden = stop < STOPS.weights || !windows;
      if (windows && stop >= STOPS.weights)
        sum.show(image.matrix, windows, weightsOf(state.weights, Math.floor(neuron / group), windows.size[0] * windows.size[1]), neuron, group, stop === STOPS.moving);
      turn.element.hidden = stop !== STOPS.moving || !windows;
      turn.show(neuron % group, group - 1);
      if (turn.element.hidden) turn.stop();
      stops.show(stop, LAST);
      back.disabled = stop === 0;
      next.disabled = stop === LAST;
      code.show(state.code, () => figureSum(stop, image.matrix, wanted, windows, state.weights));
      counts.show(layerCounts(wanted, windows), isGrouped, windows !== null, stop);
      settings.show(state, image, windows, Math.floor(neuron / group), found !== null);
      sums.show(state);
      ablation.show(state);
    },
    close() {
      stops.stop();
      turn.stop();
      source.close();
      network.close();
    },
  };
}

/** @param {readonly (number | null)[]} read @param {number} columns */
function placesText(read, columns) {
  return read.map((pixel) => (pixel === null ? say("dense.sum.zero") : `(${Math.floor(pixel / columns)},${pixel % columns})`)).join(", ");
}

/**
 * @param {readonly import("../../maths/derivation_lines.js").Line[]} lines
 * @param {string} only
 * @param {number} pixel
 * @param {number} neuron
 * @param {number} stop
 */
function saidOf(lines, only, pixel, neuron, stop) {
  if (stop < STOPS.dense || stop === STOPS.near) return "";
  const some = (/** @type {number[]} */ list) => (list.length > 16 ? `${list.slice(0, 16).join(", ")}, …` : list.join(", "));
  if (only === "pixel" || stop === STOPS.shared)
    return say("dense.said.pixel", { pixel, n: lines.length, list: some([...new Set(lines.map((one) => one.neuron))]) || "–" });
  if (only === "neuron" || (stop >= STOPS.first && stop !== STOPS.moving))
    return say("dense.said.neuron", { neuron, n: lines.length, list: some([...new Set(lines.map((one) => one.pixel))]) || "–" });
  return say("dense.said.all", { n: lines.length, count: grouped(lines.length) });
}

function countsTable() {
  const names = /** @type {const} */ (["dense", "grouped", "local"]);
  const rows = names.map((name) => {
    const cells = Array.from({ length: 4 }, () => html("td"));
    return { cells, row: html("tr", {}, html("th", { scope: "row", text: say(`dense.counts.${name}`) }), ...cells) };
  });
  const heads = ["way", "weights", "fewer", "connections", "work"].map((name) => html("th", { scope: "col", text: say(`dense.counts.${name}`) }));
  const now = html("p", { "aria-live": "polite", class: "counted" });
  const element = html("div", {}, now,
    scrolling(html("div", { class: "table-scroll" }, html("table", { class: "counts" }, html("thead", {}, html("tr", {}, ...heads)), html("tbody", {}, ...rows.map(({ row }) => row))))),
    html("p", { class: "hint", text: say("dense.counts.note") }));
  return {
    element,
    /** @param {ReturnType<typeof layerCounts>} counts @param {boolean} isGrouped @param {boolean} fits @param {number} stop */
    show(counts, isGrouped, fits, stop) {
      const at = stop < STOPS.dense ? -1 : stop < STOPS.blocks ? 0 : stop < STOPS.patch ? 1 : 2;
      names.forEach((name, index) => {
        const one = counts[name], has = index === 0 || (index === 1 ? isGrouped : fits);
        set(rows[index].row, { class: index === at && "is-now" });
        const texts = has ? [grouped(one.weights), index ? fewerText(one.fewer) : "", grouped(one.connections), grouped(one.work)] : ["–", "–", "–", "–"];
        rows[index].cells.forEach((cell, column) => set(cell, { text: texts[column] }));
      });
      const base = counts.dense.weights, one = counts[names[Math.max(at, 0)]];
      const has = at <= 0 || (at === 1 ? isGrouped : fits);
      set(now, { text: at < 0 ? say("dense.counts.no_lines")
        : !has ? say("dense.counts.none")
        : at === 0 || one.weights >= base ? say("dense.counts.now", { weights: grouped(one.weights), work: grouped(one.work) })
        : say("dense.counts.now_fewer", { weights: grouped(one.weights), work: grouped(one.work), less: grouped(base - one.weights), share: fewerText(one.fewer) }) });
    },
  };
}

/** A share as striate writes it: 0.888889 is "88.89 % fewer". @param {number} share */
function fewerText(share) {
  const percent = String(Number((100 * Math.abs(share)).toFixed(2)));
  return share === 0 ? say("dense.counts.as_many") : say(share > 0 ? "dense.counts.share_fewer" : "dense.counts.share_more", { percent });
}
