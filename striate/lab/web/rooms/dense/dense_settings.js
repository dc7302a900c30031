// What can be changed in the room: the image, neurons, groups, windows and weights.

import { html, set } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { positionsOf } from "../../maths/derivation.js";
import { readMatrix, typedMatrix } from "../../maths/typed_numbers.js";
import { choiceControl, numberControl } from "../../parts/controls.js";
import { matrixFields, typedControl } from "../../parts/typed_field.js";
import { MOST_NEURONS, MOST_SIDE, resized, weightsOf, withWeights } from "./dense_numbers.js";

/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../maths/typed_numbers.js").Matrix} Matrix */
/** @typedef {import("../../maths/derivation.js").Windows} Windows */

/** @type {Record<string, State>} */
export const EXAMPLES = {
  article: { source: "own", matrix: readMatrix("180 200 90; 150 60 30; 220 40 10"), neurons: 16, group: 4, windowRows: 2, windowColumns: 2, stride: 1, padding: "none" },
  odd: { source: "own", matrix: resized({ rows: 0, columns: 0, values: [] }, 4, 5), neurons: 18, group: 6, windowRows: 3, windowColumns: 3, stride: 1, padding: "none" },
  digit: { source: "digit", digit: 2, rows: 8, columns: 8, neurons: 36, group: 36, windowRows: 3, windowColumns: 3, stride: 1, padding: "none" },
  photo: { source: "photo", rows: 6, columns: 6, neurons: 32, group: 16, windowRows: 3, windowColumns: 3, stride: 1, padding: "none" },
  same: { source: "own", matrix: resized({ rows: 0, columns: 0, values: [] }, 4, 4), neurons: 16, group: 16, windowRows: 3, windowColumns: 3, stride: 1, padding: "same" },
};

/**
 * @param {import("../../core/room.js").Lab} lab
 * @param {() => import("../../maths/pixels.js").Picture | null} photo
 */
export function denseSettings(lab, photo) {
  const example = choiceControl({
    label: say("dense.settings.example"),
    choices: [["", "…"], ...Object.keys(EXAMPLES).map((name) => /** @type {[string, string]} */ ([name, say(`dense.examples.${name}`)]))],
    onChange: (name) => name && lab.change({ ...EXAMPLES[name], neuron: 0, pixel: 0, only: "" }),
  });
  const source = choiceControl({
    label: say("dense.settings.source"),
    choices: ["own", "digit", "photo"].map((name) => /** @type {[string, string]} */ ([name, say(`dense.sources.${name}`)])),
    onChange: (name) => lab.change({ source: name }),
  });
  /** @param {string} name @param {number} most @param {number} [least] */
  const number = (name, most, least = 1) => numberControl({
    label: say(`dense.settings.${name}`), least, most, onChange: (value) => lab.change({ [name]: value }),
  });
  /** @param {"rows" | "columns"} side */
  const sideControl = (side) => numberControl({ label: say(`dense.settings.${side}`), least: 1, most: MOST_SIDE, onChange: (value) => {
    const { source: from, matrix } = lab.state();
    const size = { rows: matrix.rows, columns: matrix.columns, [side]: value };
    lab.change(from === "own" ? { matrix: resized(matrix, size.rows, size.columns) } : { [side]: value });
  } });
  const rows = sideControl("rows"), columns = sideControl("columns"), digit = number("digit", 9, 0);
  const photoRow = number("photoRow", 2000, 0), photoColumn = number("photoColumn", 2000, 0);
  const typed = typedControl({
    label: say("dense.settings.matrix"), wrong: say("dense.settings.wrong", { most: MOST_SIDE }),
    read: (text) => {
      const found = readMatrix(text);
      return found && Math.max(found.rows, found.columns) <= MOST_SIDE ? found : null;
    },
    write: typedMatrix, onChange: (matrix) => lab.change({ matrix }),
  });
  const neurons = number("neurons", MOST_NEURONS), group = number("group", MOST_NEURONS);
  const windowRows = number("windowRows", MOST_SIDE), windowColumns = number("windowColumns", MOST_SIDE), stride = number("stride", MOST_SIDE);
  const padding = choiceControl({
    label: say("dense.settings.padding"),
    choices: ["none", "same"].map((name) => /** @type {[string, string]} */ ([name, say(`dense.paddings.${name}`)])),
    onChange: (name) => lab.change({ padding: name }),
  });
  let filter = 0;
  const weights = matrixFields({
    label: say("dense.settings.weights"), name: (row, column) => say("dense.settings.weight", { row, column }),
    onChange: ({ values }) => {
      const state = lab.state();
      lab.change({ weights: withWeights(state.weights, state.neurons / state.group, filter, values) });
    },
  });
  const weightsHead = html("h3");
  const fit = html("button", { type: "button", text: say("dense.settings.fit"), onclick: () => lab.change(fitting(lab.state())) });
  const element = html("section", { class: "card dense-settings" },
    html("h2", { text: say("dense.settings.heading") }),
    html("div", { class: "controls" }, example.element, source.element, digit.element),
    typed.element,
    html("div", { class: "controls" }, rows.element, columns.element, photoRow.element, photoColumn.element),
    html("div", { class: "controls" }, neurons.element, group.element, windowRows.element, windowColumns.element, stride.element, padding.element),
    fit, weightsHead, weights.element);
  return {
    element,
    /**
     * @param {State} state
     * @param {{matrix: Matrix}} image
     * @param {Windows | null} windows
     * @param {number} at - the group whose weights are shown.
     * @param {boolean} isWrong
     */
    show(state, { matrix }, windows, at, isWrong) {
      filter = at;
      source.show(state.source);
      example.show("");
      digit.element.hidden = state.source !== "digit";
      photoRow.element.hidden = photoColumn.element.hidden = state.source !== "photo" || !photo();
      typed.element.hidden = state.source !== "own";
      typed.show(state.matrix);
      rows.show(matrix.rows);
      columns.show(matrix.columns);
      for (const [name, control] of Object.entries({ digit, photoRow, photoColumn, neurons, group, windowRows, windowColumns, stride }))
        control.show(state[name]);
      padding.show(state.padding);
      fit.hidden = !isWrong;
      weights.element.hidden = weightsHead.hidden = !windows;
      if (!windows) return;
      set(weightsHead, { text: say("dense.settings.weights_of", { group: at, first: at * state.group, last: (at + 1) * state.group - 1 }) });
      weights.show({ rows: windows.size[0], columns: windows.size[1], values: weightsOf(state.weights, at, windows.size[0] * windows.size[1]) });
    },
  };
}

/**
 * Changes with which all fits: the window cut to the image, a stride that fits, groups as large as
 * there are positions, and a multiple of that of neurons.
 *
 * @param {State} state
 * @returns {State}
 */
export function fitting(state) {
  const { rows, columns } = state.source === "own" ? state.matrix : state;
  const image = /** @type {const} */ ([rows, columns]);
  const size = /** @type {const} */ ([Math.min(state.windowRows, image[0]), Math.min(state.windowColumns, image[1])]);
  for (let stride = state.stride; stride >= 1; stride--) {
    const found = positionsOf(image, size, [stride, stride], state.padding);
    if ("name" in found) continue;
    const group = found.positions[0] * found.positions[1];
    const neurons = Math.max(1, Math.min(Math.round(state.neurons / group), Math.floor(MOST_NEURONS / group))) * group;
    return { windowRows: size[0], windowColumns: size[1], stride, group, neurons, neuron: 0, only: "" };
  }
  return {};
}
