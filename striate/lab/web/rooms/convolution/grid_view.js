// Convolution in two dimensions, on a small matrix whose numbers can all be read.

import { html, set, svg } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { whenChanged } from "../../core/when_changed.js";
import { convolved2, originIndex, sumAt2, windowStart } from "../../maths/convolution.js";
import { codeView } from "../../parts/code_view.js";
import { choiceControl } from "../../parts/controls.js";
import { flippingCells } from "../../parts/flipping_cells.js";
import { formula, indexed } from "../../parts/formula.js";
import { numberGrid } from "../../parts/number_grid.js";
import { player } from "../../parts/player.js";
import { questionsOf } from "../../parts/questions.js";
import { matrixFields, typedControl } from "../../parts/typed_field.js";
import { readMatrix, typedMatrix } from "../../maths/typed_numbers.js";
import { cellNumber, shortNumber, writtenSum } from "../../parts/written_sum.js";
import { operationControl, originControl } from "./line_view.js";

/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../maths/typed_numbers.js").Matrix} Matrix */

export const MOST_SIDE = 9;
export const MOST_KERNEL = 5;
/** @param {string} text */
const matrix = (text) => /** @type {Matrix} */ (readMatrix(text));
export const COUNTING = matrix("1 2 3; 4 5 6; 7 8 9");
const SYMMETRIC = matrix("1 2 1; 2 4 2; 1 2 1");
const EDGE = matrix("0 0 0 9 9 9; 0 0 0 9 9 9; 0 0 0 9 9 9; 0 0 0 9 9 9; 0 0 0 9 9 9");
const PULSE = matrix("0 0 0 0 0; 0 0 0 0 0; 0 0 1 0 0; 0 0 0 0 0; 0 0 0 0 0");

/** @type {Record<string, State>} */
const EXAMPLES = {
  corner: { matrix: COUNTING, kernel2: COUNTING, row: 1, column: 1, origin: "corner", operation: "convolution" },
  center: { matrix: COUNTING, kernel2: COUNTING, row: 1, column: 1, origin: "center", operation: "convolution" },
  symmetric: { matrix: COUNTING, kernel2: SYMMETRIC, row: 1, column: 1, origin: "center", operation: "convolution" },
  edge: { matrix: EDGE, kernel2: matrix("1 0 -1; 2 0 -2; 1 0 -1"), row: 2, column: 3, origin: "center", operation: "convolution" },
  pulse: { matrix: PULSE, kernel2: COUNTING, row: 1, column: 1, origin: "center", operation: "convolution" },
};

/**
 * @param {import("../../core/room.js").Lab} lab
 * @returns {{element: HTMLElement, show: (state: State) => void, close: () => void, pause: () => void}}
 */
export function gridView(lab) {
  const example = choiceControl({
    label: say("convolution.example"),
    choices: [["", "…"], ...Object.keys(EXAMPLES).map((name) => /** @type {[string, string]} */ ([name, say(`convolution.grid.examples.${name}`)]))],
    onChange: (name) => name && lab.change(EXAMPLES[name]),
  });
  const origin = originControl(lab), operation = operationControl(lab);
  const steps = player({ label: say("convolution.grid.step"), onStep: (step) => {
    const { columns } = lab.state().matrix;
    lab.change({ row: Math.floor(step / columns), column: step % columns });
  } });
  /** @param {string} name @param {string} field @param {number} most */
  const typedMatrixControl = (name, field, most) => typedControl({
    label: say(`convolution.grid.typed.${name}`), wrong: say("convolution.grid.wrong", { most }),
    read: (text) => {
      const found = readMatrix(text);
      return found && Math.max(found.rows, found.columns) <= most ? found : null;
    },
    write: typedMatrix, onChange: (value) => lab.change({ [field]: value }),
  });
  const typedF = typedMatrixControl("f", "matrix", MOST_SIDE);
  const typedG = typedMatrixControl("g", "kernel2", MOST_KERNEL);
  const fieldsG = matrixFields({
    label: say("convolution.grid.typed.g"), name: (i, j) => `g(${i}, ${j})`, onChange: (value) => lab.change({ kernel2: value }),
  });
  const code = codeView(lab);
  const grids = html("div", { class: "grids" });
  const hadamard = html("div", { class: "grids is-small" });
  const sum = writtenSum();
  const meaning = html("p", { class: "meaning" }), definition = html("div");
  const element = html("div", {},
    html("div", { class: "controls" }, example.element, operation.element, origin.element),
    html("section", { class: "card" },
      html("h2", { text: say("convolution.grid.heading") }), steps.element, grids,
      html("h3", { text: say("convolution.grid.hadamard") }), hadamard, sum.element, meaning),
    html("div", { class: "columns" },
      html("section", { class: "card" }, html("h2", { text: say("convolution.line.numbers") }),
        typedF.element, typedG.element, fieldsG.element),
      html("section", { class: "card" }, html("h2", { text: say("convolution.definition") }),
        definition,
        ...questionsOf(lab, "convolution.grid.questions", {
          twice: EXAMPLES.pulse, symmetric: EXAMPLES.symmetric, center: EXAMPLES.center, matrix: null,
        }))),
    code.element);

  const define = whenChanged((/** @type {boolean} */ flip) => {
    const [[r, i], [c, j]] = [["r", "i"], ["c", "j"]].map((pair) => (flip ? pair : pair.reverse()));
    definition.replaceChildren(formula("y", "(", "r", ",", "c", ")", "=", indexed("∑", "i"), indexed("∑", "j"),
      "f", "(", "i", ",", "j", ")", "·", "g", "(", r, "−", i, ",", c, "−", j, ")"));
  });
  let built = "";
  /** @type {ReturnType<typeof buildGrids> | null} */
  let made = null;

  /** @param {State} state */
  function show(state) {
    const f = /** @type {Matrix} */ (state.matrix), g = /** @type {Matrix} */ (state.kernel2);
    const flip = state.operation === "convolution";
    const row = Math.min(state.row, f.rows - 1), column = Math.min(state.column, f.columns - 1);
    define(flip);
    const key = [f.rows, f.columns, g.rows, g.columns, state.origin].join();
    if (key !== built) {
      built = key;
      made = buildGrids(f, g, state.origin, (r, c) => lab.change({ row: r, column: c }));
      grids.replaceChildren(...made.wide);
      hadamard.replaceChildren(...made.small);
    }
    const one = sumAt2(f, g, row, column, state.origin, flip);
    made?.show(f, g, convolved2(f, g, state.origin, flip), one, { row, column }, flip);
    const zero = [g.rows, g.columns].map((taps) => originIndex(taps, state.origin, flip));
    sum.show({
      left: `y(${row}, ${column})`, total: one.total,
      terms: one.terms.map(({ i, k, ...numbers }) => ({
        ...numbers,
        names: `f(${i.join(", ")})·g(${k.map((at, axis) => at - zero[axis]).join(", ")})`.replace(/-/g, "−"),
      })),
    });
    const left = g.values.length - one.terms.length;
    meaning.textContent = left
      ? say("convolution.grid.left_out", { n: left, all: g.values.length })
      : say("convolution.grid.all_terms", { n: g.values.length });
    code.show(state.code, () => ({
      kind: "matrix", f, g, flip,
      before: [-windowStart(0, g.rows, state.origin, flip), -windowStart(0, g.columns, state.origin, flip)],
    }));
    steps.show(row * f.columns + column, f.values.length - 1);
    typedF.show(f);
    typedG.show(g);
    fieldsG.show(g);
    origin.show(state.origin);
    operation.show(state.operation);
    example.show(Object.keys(EXAMPLES).find((name) => Object.entries(EXAMPLES[name]).every(([field, value]) =>
      field === "row" || field === "column" || JSON.stringify(state[field]) === JSON.stringify(value))) ?? "");
  }
  return { element, show, close: steps.stop, pause: steps.stop };
}

/**
 * @param {Matrix} f
 * @param {Matrix} g
 * @param {import("../../maths/convolution.js").Origin} zeroAt
 * @param {(row: number, column: number) => void} onPoint
 */
function buildGrids(f, g, zeroAt, onPoint) {
  const cell = Math.max(30, Math.min(48, 300 / Math.max(f.rows, f.columns)));
  const reach = Math.max(g.rows, g.columns);
  const margin = zeroAt === "corner" ? reach - 1 : reach >> 1;
  const gridF = numberGrid({ label: say("convolution.grid.f"), rows: f.rows, columns: f.columns, cell, margin, kind: "input", onPoint });
  const gridY = numberGrid({ label: say("convolution.grid.y"), rows: f.rows, columns: f.columns, cell, kind: "output", onPoint });
  const cellG = 48;
  const kernel = flippingCells({ rows: g.rows, columns: g.columns, width: cellG, height: cellG });
  const origin = svg("rect", { class: "origin-frame", width: cellG - 2, height: cellG - 2, rx: 4 });
  const gridG = svg("svg", {
    viewBox: `0 0 ${g.columns * cellG} ${g.rows * cellG}`, width: g.columns * cellG, height: g.rows * cellG, role: "img",
  }, kernel.element, origin);
  const smallCell = Math.min(42, 220 / Math.max(g.rows, g.columns));
  const [patch, turned, products] = ["input", "filter", "product"].map((kind) =>
    numberGrid({ label: say(`convolution.grid.small.${kind}`), rows: g.rows, columns: g.columns, cell: smallCell, kind }));
  const total = html("strong", { class: "is-output" });
  const titleG = html("figcaption");
  /** @param {Node} drawing @param {string | HTMLElement} title */
  const figure = (drawing, title) => html("figure", {}, drawing,
    typeof title === "string" ? html("figcaption", { text: title }) : title);
  const sign = (/** @type {string} */ text) => html("span", { class: "sign", text });
  return {
    wide: [figure(gridF.element, say("convolution.grid.f")), sign("∗"), figure(gridG, titleG), sign("="), figure(gridY.element, say("convolution.grid.y"))],
    small: [patch.element, sign("∘"), turned.element, sign("="), products.element, sign("→ Σ ="), total],
    /**
     * @param {Matrix} input
     * @param {Matrix} filter
     * @param {Matrix} y
     * @param {ReturnType<typeof sumAt2>} one
     * @param {{row: number, column: number}} place
     * @param {boolean} flip
     */
    show(input, filter, y, one, place, flip) {
      const [top, left] = one.start;
      const window = { row: top, column: left, rows: filter.rows, columns: filter.columns, kind: "filter" };
      gridF.show({ values: input.values, text: (value) => cellNumber(value, 2), frames: [window], place });
      gridY.show({ values: y.values, text: (value) => cellNumber(value, 2), place });
      const zero = [filter.rows, filter.columns].map((taps) => originIndex(taps, zeroAt, flip));
      kernel.show({
        values: filter.values, flipped: flip, text: shortNumber,
        below: (index) =>
          `${Math.floor(index / filter.columns) - zero[0]},${(index % filter.columns) - zero[1]}`.replace(/-/g, "−"),
      });
      const [r, c] = flip ? [filter.rows - 1 - zero[0], filter.columns - 1 - zero[1]] : zero;
      set(origin, { x: c * cellG + 1, y: r * cellG + 1 });
      set(gridG, { "aria-label": `${say(flip ? "convolution.grid.g_flipped" : "convolution.grid.g")}: ${typedMatrix(filter)}` });
      titleG.textContent = say(flip ? "convolution.grid.g_flipped" : "convolution.grid.g");
      const terms = new Map(one.terms.map((term) => [(term.i[0] - top) * filter.columns + term.i[1] - left, term]));
      const values = filter.values;
      patch.show({ values, text: (_, index) => (terms.has(index) ? shortNumber(terms.get(index)?.value ?? 0) : "") });
      turned.show({ values, text: (_, index) => (terms.has(index) ? shortNumber(terms.get(index)?.weight ?? 0) : "") });
      products.show({ values, text: (_, index) => (terms.has(index) ? shortNumber(terms.get(index)?.product ?? 0) : "") });
      total.textContent = written(one.total, 4);
    },
  };
}
