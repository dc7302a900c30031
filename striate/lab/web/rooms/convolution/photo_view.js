// Kernels on photographs: what is under the kernel, its products, their sum, and the pixel that it makes.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { clipped, differences, patchAt, pixelOf, responses, shifted } from "../../maths/photo_filter.js";
import { grayPicture } from "../../maths/pixels.js";
import { codeView } from "../../parts/code_view.js";
import { choiceControl, numberControl, switchControl } from "../../parts/controls.js";
import { matrixFields } from "../../parts/typed_field.js";
import { pictureSource } from "../../parts/picture_source.js";
import { pictureView } from "../../parts/picture_view.js";
import { questionsOf } from "../../parts/questions.js";
import { kernelOf, resized, SIDES } from "./known_kernels.js";
import { sumPanel } from "./photo_sum.js";

/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../maths/pixels.js").Picture} Picture */
/** @typedef {import("./known_kernels.js").Known} Known */

export const MOST_SHIFT = 100;

/**
 * @param {import("../../core/room.js").Lab} lab
 * @returns {{element: HTMLElement, show: (state: State) => void, close: () => void}}
 */
export function photoView(lab) {
  /** @type {readonly Known[]} */
  const known = lab.data.convolution.kernels;
  /** @type {Picture | null} */
  let colours = null;
  let taken = 0;
  const source = pictureSource({ sample: lab.data.photo, onPicture: (picture) => {
    colours = picture;
    taken++;
    lab.change({});
  } });
  const point = (/** @type {number} */ photoRow, /** @type {number} */ photoColumn) => lab.change({ photoRow, photoColumn });
  const before = pictureView({ label: say("convolution.photo.before"), onPoint: point });
  const after = pictureView({ label: say("convolution.photo.after"), onPoint: point });

  const kernelChoice = choiceControl({
    label: say("convolution.photo.kernel"),
    choices: [...known.map(({ name }) => /** @type {[string, string]} */ ([name, name])), ["own", say("convolution.photo.own")]],
    onChange: (name) => {
      const sizes = sizesOf(known, name);
      const { size } = lab.state();
      lab.change({ kernel: name, size: sizes.includes(size) ? size : sizes[0] });
    },
  });
  const sizeSelect = html("select", { onchange: () => resize(Number(sizeSelect.value)) });
  const border = choiceControl({
    label: say("convolution.photo.border"),
    choices: ["reflect", "fill", "wrap"].map((name) => /** @type {[string, string]} */ ([name, say(`convolution.photo.borders.${name}`)])),
    onChange: (value) => lab.change({ border: value }),
  });
  const colour = switchControl({ label: say("convolution.photo.colour"), onChange: (value) => lab.change({ colour: value }) });
  const offset = switchControl({ label: say("convolution.photo.offset"), onChange: (value) => lab.change({ offset: value }) });
  const channel = choiceControl({
    label: say("convolution.photo.channel"),
    choices: ["red", "green", "blue"].map((name, index) => /** @type {[string, string]} */ ([String(index), say(`convolution.photo.channels.${name}`)])),
    onChange: (value) => lab.change({ channel: Number(value) }),
  });
  const fields = matrixFields({
    label: say("convolution.photo.numbers"), name: (i, j) => say("convolution.photo.field", { row: i + 1, column: j + 1 }),
    onChange: (own) => lab.change({ own, kernel: "own", size: own.rows }),
  });
  const about = html("p", { class: "hint" });
  const counts = html("p", { class: "meaning" });
  const panel = sumPanel(), code = codeView(lab);
  const down = numberControl({ label: say("convolution.photo.down"), least: -MOST_SHIFT, most: MOST_SHIFT, onChange: (value) => lab.change({ down: value }) });
  const across = numberControl({ label: say("convolution.photo.across"), least: -MOST_SHIFT, most: MOST_SHIFT, onChange: (value) => lab.change({ across: value }) });
  const invariance = html("p", { class: "meaning", role: "status" });
  const figure = (/** @type {HTMLElement} */ view, /** @type {string} */ text) => html("figure", { class: "photo" }, view, html("figcaption", { text }));
  const element = html("div", {},
    source.element,
    html("div", { class: "controls" }, kernelChoice.element,
      html("label", { class: "labelled" }, html("span", { text: say("convolution.photo.size") }), sizeSelect),
      border.element, colour.element, offset.element, channel.element),
    html("section", { class: "card photo-card" },
      html("div", {},
        html("div", { class: "photos" }, figure(before.element, say("convolution.photo.before")), figure(after.element, say("convolution.photo.after"))),
        html("p", { class: "hint", text: say("convolution.photo.hint") })),
      html("div", {}, html("h2", { text: say("convolution.photo.sum") }), panel.element, counts)),
    html("div", { class: "columns" },
      html("section", { class: "card" }, html("h2", { text: say("convolution.photo.numbers") }), about, fields.element),
      html("section", { class: "card" }, html("h2", { text: say("convolution.photo.invariance") }),
        html("p", { text: say("convolution.photo.invariance_text") }), down.element, across.element, invariance),
      html("section", { class: "card" }, html("h2", { text: say("convolution.think") }),
        ...questionsOf(lab, "convolution.photo.questions", {
          edges: { kernel: "laplace", size: 3, offset: false }, black: { kernel: "laplace", size: 3, offset: true },
          learned: null, colours: { colour: true },
        }))),
    code.element);

  /** @param {number} size */
  function resize(size) {
    const state = lab.state();
    if (state.kernel === "own") lab.change({ own: resized(state.own, size), size });
    else lab.change({ size });
  }

  let plainKey = "", listed = "";
  /** @type {Float32Array} */
  let plainSums = new Float32Array();
  let sums = plainSums;
  /** @type {Picture | null} */
  let plain = null;
  let sumsKey = "", shownKey = "", agreed = "";
  /** @type {Picture | null} */
  let moved = null;

  /** @param {State} state */
  function show(state) {
    const kernel = kernelOf(known, state.kernel, state.size, state.own);
    const sizes = sizesOf(known, state.kernel);
    if (listed !== sizes.join()) {
      listed = sizes.join();
      sizeSelect.replaceChildren(...sizes.map((size) => html("option", { value: size, text: `${size}×${size}` })));
    }
    sizeSelect.value = String(kernel.rows);
    kernelChoice.show(state.kernel);
    for (const [control, name] of /** @type {const} */ ([[border, "border"], [colour, "colour"], [offset, "offset"], [down, "down"], [across, "across"]]))
      control.show(/** @type {never} */ (state[name]));
    channel.show(String(state.channel));
    channel.element.hidden = !state.colour;
    fields.show({ rows: kernel.rows, columns: kernel.columns, values: kernel.arrays[0] });
    about.textContent = state.kernel === "own" ? say("convolution.photo.own_text")
      : known.find(({ name }) => name === state.kernel)?.about ?? "";
    if (!colours) return;

    const inputKey = `${taken} ${state.colour}`;
    const filterKey = `${inputKey} ${state.border} ${kernel.rows} ${kernel.columns} ${kernel.combine} ${JSON.stringify(kernel.arrays)}`;
    if (!plain || !plainKey.startsWith(`${inputKey} `)) plain = state.colour ? colours : grayPicture(colours);
    if (filterKey !== plainKey) {
      plainKey = filterKey;
      plainSums = responses(plain, kernel, state.border);
    }
    const isMoved = state.down !== 0 || state.across !== 0;
    const movedKey = `${filterKey} ${state.down} ${state.across}`;
    if (movedKey !== sumsKey || !moved) {
      sumsKey = movedKey;
      moved = isMoved ? shifted(plain, state.down, state.across) : plain;
      sums = isMoved ? responses(moved, kernel, state.border) : plainSums;
      before.paint(moved);
    }
    const add = state.offset ? 128 : 0;
    if (shownKey !== `${movedKey} ${add}`) {
      shownKey = `${movedKey} ${add}`;
      const result = clipped(sums, add);
      const output = { ...moved, pixels: result.pixels };
      after.paint(output);
      counts.textContent = say("convolution.photo.counts", {
        below: share(result.below, sums.length), above: share(result.above, sums.length),
      });
      agreed = "";
      if (isMoved) {
        const filteredFirst = shifted({ ...plain, pixels: clipped(plainSums, add).pixels }, state.down, state.across);
        const found = differences(output, filteredFirst, kernel, state.down, state.across);
        agreed = say(found.inside ? "convolution.photo.disagree" : "convolution.photo.agree", { ...found, n: found.compared });
      }
      set(invariance, { text: agreed || say("convolution.photo.not_moved") });
    }
    const row = Math.min(state.photoRow, moved.height - 1), column = Math.min(state.photoColumn, moved.width - 1);
    const at = state.colour ? state.channel : 0;
    const patch = patchAt(moved, row, column, at, kernel, state.border);
    const pixel = (row * moved.width + column) * moved.channels + at;
    const { rows, columns } = kernel;
    code.show(state.code, () => ({
      kind: "photo", patch: { rows, columns, values: patch }, combine: kernel.combine, offset: add,
      kernels: kernel.arrays.map((values) => ({ rows, columns, values: [...values] })),
    }));
    const told = panel.show({ kernel, patch, sum: sums[pixel], offset: add, row, column });
    before.frame(row - (kernel.rows >> 1), column - (kernel.columns >> 1), kernel.rows, kernel.columns,
      say("convolution.photo.said", { row, column, value: moved.pixels[pixel] }));
    after.frame(row, column, 1, 1, say("convolution.photo.said_after", { row, column, value: pixelOf(sums[pixel] + add), told }));
  }
  return { element, show, close: source.close };
}

/**
 * @param {readonly Known[]} known
 * @param {string} name
 */
function sizesOf(known, name) {
  return known.find((one) => one.name === name)?.sizes.map(({ rows }) => rows) ?? SIDES;
}

/** @param {number} part @param {number} all */
function share(part, all) {
  return `${written((100 * part) / all, 1)} %`;
}
