// Pooling on a small matrix: who wins in each window, and what is lost.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { pooled } from "../../maths/layer/pooling.js";
import { readMatrix, typedMatrix } from "../../maths/typed_numbers.js";
import { codeView } from "../../parts/code_view.js";
import { choiceControl, numberControl } from "../../parts/controls.js";
import { numberGrid } from "../../parts/number_grid.js";
import { questionsOf } from "../../parts/questions.js";
import { typedControl } from "../../parts/typed_field.js";
import { cellNumber } from "../../parts/written_sum.js";

/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../maths/typed_numbers.js").Matrix} Matrix */

export const MOST_POOLED = 8;

/**
 * @param {import("../../core/room.js").Lab} lab
 * @returns {{element: HTMLElement, show: (state: State) => void}}
 */
export function poolView(lab) {
  const matrix = typedControl({
    label: say("layer.pool.matrix"), wrong: say("layer.pool.wrong", { most: MOST_POOLED }),
    read: (text) => {
      const found = readMatrix(text);
      return found && Math.max(found.rows, found.columns) <= MOST_POOLED ? found : null;
    },
    write: typedMatrix, onChange: (value) => lab.change({ pooled: value }),
  });
  const window = numberControl({ label: say("layer.pool.window"), least: 1, most: MOST_POOLED, onChange: (value) => lab.change({ window: value }) });
  const step = numberControl({ label: say("layer.pool.step"), least: 1, most: MOST_POOLED, onChange: (value) => lab.change({ step: value }) });
  const kind = choiceControl({ label: say("layer.pool.kind"), choices: ["max", "average", "sum"].map((one) => [one, say(`layer.pool.kinds.${one}`)]), onChange: (value) => lab.change({ kind: value }) });
  const swap = html("button", { type: "button", text: say("layer.pool.swap"), onclick: () => {
    const { pooled: given, window: size, step: stride, place } = lab.state();
    const found = pooled(given, size, stride, "max");
    const at = Math.min(place, found.values.length - 1), top = Math.floor(at / found.columns) * stride, left = (at % found.columns) * stride;
    const inside = Array.from({ length: size * size }, (_, tap) => (top + Math.floor(tap / size)) * given.columns + left + (tap % size));
    const values = [...given.values];
    inside.forEach((to, tap) => (values[to] = given.values[inside[(tap + inside.length - 1) % inside.length]]));
    lab.change({ pooled: { ...given, values } });
  } });
  const problem = html("p", { class: "note", role: "alert", hidden: true });
  const grids = html("div", { class: "grids" }), sentence = html("p", { role: "status" }), lost = html("p"), unread = html("p");
  const element = html("div", {}, html("section", { class: "card" }, html("h2", { text: say("layer.pool.heading") }), html("p", { text: say("layer.pool.lead") }),
    html("div", { class: "controls" }, kind.element, window.element, step.element), matrix.element, problem, grids, sentence, html("div", { class: "buttons" }, swap), lost, unread));
  const code = codeView(lab);
  element.append(
    html("section", { class: "card" }, html("h2", { text: say("questions.heading") }),
      ...questionsOf(lab, "layer.pool.questions", {
        unnoticed: { kind: "max", window: 2, step: 2 }, forgotten: { kind: "max", window: 2, step: 2, place: 3 },
        mean: { kind: "average" }, weights: null, overlap: { kind: "max", window: 3, step: 1 },
      })),
    code.element);
  let built = "";
  /** @type {ReturnType<typeof numberGrid>[]} */
  let made = [];

  /** @param {State} state */
  function show(state) {
    const given = /** @type {Matrix} */ (state.pooled), size = state.window, stride = state.step;
    matrix.show(given);
    window.show(size);
    step.show(stride);
    kind.show(state.kind);
    const fits = size <= Math.min(given.rows, given.columns);
    problem.hidden = fits;
    for (const part of [grids, sentence, swap, lost, unread, code.element]) part.hidden = !fits;
    if (!fits) {
      problem.textContent = say("layer.pool.too_large", { size, rows: given.rows, columns: given.columns, most: Math.min(given.rows, given.columns) });
      return;
    }
    const found = pooled(given, size, stride, state.kind);
    const key = [given.rows, given.columns, found.rows, found.columns].join();
    if (key !== built) {
      built = key;
      const sides = /** @type {const} */ ([[given.rows, given.columns, "input"], [found.rows, found.columns, "output"]]);
      made = sides.map(([rows, columns, name]) => numberGrid({
        label: say(`layer.pool.${name}`), rows, columns, cell: Math.min(56, 320 / Math.max(given.rows, given.columns)), kind: name,
        ...(name === "output" ? { onPoint: (/** @type {number} */ row, /** @type {number} */ column) => lab.change({ place: row * columns + column }) } : {}),
      }));
      grids.replaceChildren(...made.flatMap(({ element: drawing }, index) => [
        ...(index ? [html("span", { class: "sign", text: "→" })] : []), html("figure", {}, drawing, html("figcaption", { text: say(`layer.pool.${index ? "output" : "input"}`) }))]));
    }
    code.show(state.code, () => ({ kind: "pool", X: given, window: [size, size], stride, how: state.kind }));
    const place = Math.min(state.place, found.values.length - 1);
    const row = Math.floor(place / found.columns), column = place % found.columns;
    const winners = new Set(state.kind === "max" ? found.winners : []);
    const text = (/** @type {number} */ value) => cellNumber(value, 2);
    made[0].show({
      values: given.values, text, fill: (at) => (winners.has(at) ? "var(--output-soft)" : "var(--card)"),
      frames: [{ row: row * stride, column: column * stride, rows: size, columns: size, kind: "input" }],
    });
    made[1].show({ values: found.values, text, place: { row, column } });
    const inside = Array.from({ length: size * size }, (_, tap) => given.values[(row * stride + Math.floor(tap / size)) * given.columns + column * stride + (tap % size)]);
    const list = inside.map(text).join(state.kind === "max" ? ", " : " + ");
    set(sentence, { text: say(`layer.pool.said.${state.kind}`, { list, n: inside.length, value: written(found.values[place]) }) });
    set(lost, { text: say(state.kind === "max" ? "layer.pool.lost" : "layer.pool.lost_all", { before: given.values.length, after: found.values.length, places: size * size }) });
    const read = (/** @type {number} */ n, /** @type {number} */ units) => n - ((units - 1) * stride + size);
    const [left, below] = [read(given.columns, found.columns), read(given.rows, found.rows)];
    set(unread, { text: left || below ? say("layer.pool.unread", { rows: below, columns: left }) : "" });
  }
  return { element, show };
}
