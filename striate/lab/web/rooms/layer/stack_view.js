// What a unit sees through stacked layers, and which connections share a weight.

import { html, set, svg } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { connectionsOf, fieldSizes, seenBelow, stackedLayers } from "../../maths/layer/stacked_fields.js";
import { readList } from "../../maths/typed_numbers.js";
import { choiceControl, numberControl } from "../../parts/controls.js";
import { questionsOf } from "../../parts/questions.js";
import { typedControl } from "../../parts/typed_field.js";

/** @typedef {import("../../core/fields.js").State} State */

export const MOST_INPUTS = 15;
export const MOST_LAYERS = 5;
/** Five units in each layer, and windows of three. @type {State} */
const ARTICLE = { inputs: 5, stack: [3, 1, 3, 1], ends: "same", level: 2, unit: 2, connections: "convolution" };
const HUES = 8, WIDTH = 760, ROW = 92;

/** Sizes and strides in pairs. @param {readonly number[]} list @returns {[number, number][]} */
const pairs = (list) => Array.from({ length: list.length >> 1 }, (_, at) => [list[2 * at], list[2 * at + 1]]);
/** The name of a unit: x1, h2, y3 as in the article. @param {number} level @param {number} last @param {number} unit */
const nameOf = (level, last, unit) => `${level === 0 ? "x" : level === last ? "y" : last > 2 ? `h${"abcd"[level - 1]}` : "h"}${unit + 1}`;

/**
 * @param {import("../../core/room.js").Lab} lab
 * @returns {{element: HTMLElement, show: (state: State) => void}}
 */
export function stackView(lab) {
  const inputs = numberControl({ label: say("layer.stack.inputs"), least: 1, most: MOST_INPUTS, onChange: (value) => lab.change({ inputs: value }) });
  const stack = typedControl({
    label: say("layer.stack.layers"), wrong: say("layer.stack.wrong", { most: MOST_LAYERS }),
    read: (text) => {
      const words = text.trim().split(/[\s,]+/).map((word) => readList(word.replace("/", " ")));
      const found = words.map((word) => (word?.length === 1 ? [word[0], 1] : word));
      const fits = found.length <= MOST_LAYERS && found.every((one) => one?.length === 2 && one.every((n) => Number.isInteger(n) && n >= 1 && n <= MOST_INPUTS));
      return fits ? /** @type {number[]} */ (found.flat()) : null;
    },
    write: (/** @type {readonly number[]} */ list) => pairs(list).map(([size, stride]) => (stride === 1 ? `${size}` : `${size}/${stride}`)).join(" "),
    onChange: (value) => lab.change({ stack: value }),
  });
  const ends = choiceControl({ label: say("layer.stack.ends"), choices: [["same", say("layer.stack.same")], ["none", say("layer.stack.none")]], onChange: (value) => lab.change({ ends: value }) });
  const connections = choiceControl({ label: say("layer.stack.connections"), choices: [["convolution", say("layer.stack.convolution")], ["dense", say("layer.stack.dense")]], onChange: (value) => lab.change({ connections: value }) });
  const problem = html("p", { class: "note", role: "alert", hidden: true });
  const drawing = svg("svg", { class: "stack", role: "img" });
  const said = html("p", { role: "status" }), fields = html("p"), counts = html("p");
  const element = html("div", {},
    html("section", { class: "card" }, html("h2", { text: say("layer.stack.heading") }), html("p", { text: say("layer.stack.lead") }),
      html("div", { class: "controls" }, inputs.element, stack.element, ends.element, connections.element), problem, drawing, said, fields, counts),
    html("section", { class: "card" }, html("h2", { text: say("questions.heading") }),
      ...questionsOf(lab, "layer.stack.questions", {
        lost: { ...ARTICLE, level: 1 }, far: { ...ARTICLE, inputs: 9, stack: [3, 1, 3, 1, 3, 1, 3, 1], level: 4, unit: 4 },
        again: { ...ARTICLE, connections: "dense" }, stride: { ...ARTICLE, inputs: 13, stack: [3, 2, 3, 1], ends: "none", unit: 1 },
      })));

  /** @param {State} state */
  function show(state) {
    inputs.show(state.inputs);
    stack.show(state.stack);
    ends.show(state.ends);
    connections.show(state.connections);
    const wanted = pairs(state.stack);
    const { layers, problem: found } = stackedLayers(state.inputs, wanted, state.ends);
    problem.hidden = !found;
    if (found) problem.textContent = say("layer.stack.problem", { layer: layers.length + 1, size: wanted[layers.length][0], stride: wanted[layers.length][1], units: layers.at(-1)?.units ?? state.inputs });
    const isDense = state.connections === "dense";
    const shown = isDense
      ? layers.map((layer, index) => {
          const below = index ? layers[index - 1].units : state.inputs;
          return { ...layer, reads: layer.reads.map(() => Array.from({ length: below }, (_, at) => at)) };
        })
      : layers;
    const level = Math.min(state.level, shown.length), widths = [state.inputs, ...shown.map((layer) => layer.units)];
    const unit = Math.min(state.unit, widths[level] - 1);
    const seen = seenBelow(shown, level, unit);
    const height = shown.length * ROW + 60;
    const x = (/** @type {number} */ at, /** @type {number} */ l) => WIDTH / 2 + (at - (widths[l] - 1) / 2) * Math.min(WIDTH / (Math.max(...widths) + 0.5), 110);
    const y = (/** @type {number} */ l) => height - 30 - l * ROW;
    /** @type {SVGElement[]} */
    const lines = [], /** @type {SVGElement[]} */ circles = [];
    for (let l = 1; l <= shown.length; l++)
      shown[l - 1].reads.forEach((reads, to) => reads.forEach((from, tap) => {
        if (from === null) return;
        const isSeen = l <= level && seen[l].includes(to);
        lines.push(svg("line", {
          class: `stack-line ${isDense ? "" : `hue-${tap % HUES}`}${isSeen ? " is-seen" : ""}`, x1: x(from, l - 1), y1: y(l - 1), x2: x(to, l), y2: y(l),
        }));
      }));
    for (let l = 0; l < widths.length; l++)
      for (let at = 0; at < widths[l]; at++) {
        const name = nameOf(l, shown.length, at), isChosen = l === level && at === unit;
        const pick = () => lab.change({ level: l, unit: at });
        const group = svg("g", {
          class: `stack-unit${l <= level && seen[l].includes(at) ? " is-seen" : ""}${isChosen ? " is-chosen" : ""}`, role: "button", tabindex: isChosen ? 0 : -1,
          "aria-label": name, "aria-pressed": String(isChosen), onclick: pick,
        }, svg("circle", { cx: x(at, l), cy: y(l), r: 17 }), svg("text", { x: x(at, l), y: y(l), "text-anchor": "middle", "dominant-baseline": "central", text: name }));
        circles.push(group);
      }
    const hadFocus = drawing.contains(document.activeElement);
    set(drawing, { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height });
    drawing.replaceChildren(...lines, ...circles);
    if (hadFocus) /** @type {SVGElement | null} */ (drawing.querySelector(".is-chosen"))?.focus();
    const names = (/** @type {number} */ l) => seen[l].map((at) => nameOf(l, shown.length, at)).join(", ");
    set(said, { text: level === 0 ? say("layer.stack.input_seen", { name: nameOf(0, shown.length, unit) }) : say(level > 1 ? "layer.stack.seen_through" : "layer.stack.seen", {
      name: nameOf(level, shown.length, unit), inputs: names(0), n: seen[0].length, through: level > 1 ? names(level - 1) : "",
    }) });
    set(drawing, { "aria-label": said.textContent });
    set(fields, { text: isDense || !shown.length ? "" : say("layer.stack.fields", { sizes: fieldSizes(wanted.slice(0, shown.length)).join(", ") }) });
    const first = shown[0];
    set(counts, { text: first ? say(isDense ? "layer.stack.counts_dense" : "layer.stack.counts", {
      inputs: state.inputs, units: first.units, weights: isDense ? state.inputs * first.units : first.size, connections: connectionsOf(first), dense: state.inputs * first.units,
    }) : "" });
  }
  drawing.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] }[event.key];
    if (!way) return;
    event.preventDefault();
    const { level, unit, inputs: most, stack: list, ends: padding } = lab.state();
    const { layers } = stackedLayers(most, pairs(list), padding);
    const next = Math.min(Math.max(Math.min(level, layers.length) + way[0], 0), layers.length);
    const width = next ? layers[next - 1].units : most;
    lab.change({ level: next, unit: Math.min(Math.max(unit + way[1], 0), width - 1) });
  });
  return { element, show };
}
