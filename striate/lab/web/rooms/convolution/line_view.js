// Convolution in one dimension: the article's signal and kernel, or one's own.

import { html, svg } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { convolved, originIndex, readersOf, sumAt, windowStart } from "../../maths/convolution.js";
import { readList, typed } from "../../maths/typed_numbers.js";
import { codeView } from "../../parts/code_view.js";
import { choiceControl, switchControl } from "../../parts/controls.js";
import { dotChart, legend } from "../../parts/dot_chart.js";
import { formula, indexed } from "../../parts/formula.js";
import { player } from "../../parts/player.js";
import { questionsOf } from "../../parts/questions.js";
import { typedControl } from "../../parts/typed_field.js";
import { writtenSum } from "../../parts/written_sum.js";
import { linePicture } from "./line_picture.js";

/** @typedef {import("../../core/room.js").Lab} Lab */
/** @typedef {import("../../core/fields.js").State} State */

export const MOST_SAMPLES = 40;
export const MOST_TAPS = 15;
const THIRD = [1 / 3, 1 / 3, 1 / 3];
export const ARTICLE = { f: [10, 9, 10, 9, 10, 1, 10, 9, 10, 8], g: THIRD };
const STEP = [0, 0, 0, 1, 1, 1, 1, 0, 0, 0];

/** What there is to look at first; each sets the fields that it needs. @type {Record<string, State>} */
const EXAMPLES = {
  smooth: { signal: "own", ...ARTICLE, at: 0, origin: "corner", operation: "convolution" },
  edges: { signal: "own", f: STEP, g: [1, -1], at: 3, origin: "corner", operation: "convolution" },
  noise: { signal: "noisy", g: Array(9).fill(1 / 9), at: 100, origin: "corner", operation: "convolution" },
  pulse: { signal: "own", f: [0, 0, 0, 1, 0, 0, 0, 0], g: [1, 2, 3], at: 4, origin: "corner", operation: "convolution" },
  twice: { signal: "own", f: [0, 1, 3, 1, 0, 0, 0, 1, 3, 1, 0], g: [-1, 2, -1], at: 2, origin: "center", operation: "convolution" },
};

/**
 * @param {Lab} lab
 * @returns {{element: HTMLElement, show: (state: State) => void, close: () => void, pause: () => void}}
 */
export function lineView(lab) {
  /** @type {readonly number[]} */
  const noisy = lab.data.convolution.noisy_sine;
  /** @param {State} state @returns {readonly number[]} */
  const signalOf = (state) => (state.signal === "noisy" ? noisy : state.f);
  let touched = -1;

  const example = choiceControl({
    label: say("convolution.example"),
    choices: [["", "…"], ...Object.keys(EXAMPLES).map((name) => /** @type {[string, string]} */ ([name, say(`convolution.line.examples.${name}`)]))],
    onChange: (name) => {
      touched = -1;
      if (name) lab.change(EXAMPLES[name]);
    },
  });
  /** @type {import("../../parts/controls.js").Control<readonly number[]>} */
  const typedF = typedControl({
    label: say("convolution.line.f"), wrong: say("convolution.line.wrong", { most: MOST_SAMPLES }),
    read: (text) => within(readList(text), MOST_SAMPLES), write: (list) => list.map(typed).join(" "),
    onChange: (f) => lab.change({ f, signal: "own", at: Math.min(lab.state().at, f.length - 1) }),
  });
  /** @type {import("../../parts/controls.js").Control<readonly number[]>} */
  const typedG = typedControl({
    label: say("convolution.line.g"), wrong: say("convolution.line.wrong", { most: MOST_TAPS }),
    read: (text) => within(readList(text), MOST_TAPS), write: (list) => list.map(typed).join(" "),
    onChange: (g) => lab.change({ g }),
  });
  const origin = originControl(lab);
  const operation = operationControl(lab);
  const both = switchControl({ label: say("convolution.both"), onChange: (value) => lab.change({ both: value }) });
  const steps = player({ label: "x", onStep: (at) => lab.change({ at }) });
  const sum = writtenSum();
  const meaning = html("p", { class: "meaning" });
  const picturePlace = html("div");
  const kernelPlace = html("div");
  const definition = html("div");
  const code = codeView(lab);
  const otherLegend = legend([["other", say("convolution.line.legend.compared")]]);

  const element = html("div", {},
    html("div", { class: "controls" }, example.element, operation.element, origin.element, both.element),
    html("section", { class: "card" },
      html("h2", { text: say("convolution.line.heading") }), steps.element, picturePlace,
      legend([["input", say("convolution.line.legend.f")], ["output", say("convolution.line.legend.y")]]), otherLegend,
      sum.element, meaning),
    html("div", { class: "columns" },
      html("section", { class: "card" }, html("h2", { text: say("convolution.line.numbers") }),
        typedF.element, typedG.element, kernelPlace, html("p", { class: "hint", text: say("convolution.line.hint") })),
      html("section", { class: "card" }, html("h2", { text: say("convolution.definition") }), definition,
        ...questionsOf(lab, "convolution.line.questions", {
          smoothing: EXAMPLES.smooth, dip: { ...EXAMPLES.smooth, at: 6 }, flip: EXAMPLES.pulse, layer: { operation: "correlation" },
          ends: EXAMPLES.smooth, causal: { origin: "center" }, twice: EXAMPLES.twice,
        }))),
    code.element);

  let built = "", kernelBuilt = "", writtenFor = "";
  /** @type {ReturnType<typeof linePicture> | null} */
  let picture = null;
  /** @type {{show: (values: readonly number[]) => void} | null} */
  let kernel = null;

  /** @param {State} state */
  function show(state) {
    const f = signalOf(state), g = /** @type {readonly number[]} */ (state.g);
    const flip = state.operation === "convolution";
    const at = Math.min(state.at, f.length - 1);
    const key = `${state.signal} ${f.length} ${g.length}`;
    if (key !== built) {
      built = key;
      touched = -1;
      picture = linePicture({
        length: f.length, taps: g.length, isFixed: state.signal === "noisy",
        onDrag: (i, value) => lab.change({ f: lab.state().f.map((/** @type {number} */ old, /** @type {number} */ k) => (k === i ? value : old)) }),
        onTouch: (i) => {
          touched = i;
          lab.change({});
        },
        onPoint: (x) => {
          touched = -1;
          lab.change({ at: x });
        },
      });
      picturePlace.replaceChildren(picture.element);
    }
    const zero = originIndex(g.length, state.origin, flip);
    if (kernelBuilt !== `${g.length} ${zero}`) {
      kernelBuilt = `${g.length} ${zero}`;
      kernel = kernelChart(lab, g.length, zero, kernelPlace);
    }
    kernel?.show(g);
    const [least, most] = touched < 0 ? [0, -1] : readersOf(touched, f.length, g.length, state.origin, flip);
    const y = convolved(f, g, state.origin, flip);
    const other = state.both ? convolved(f, g, state.origin, !flip) : null;
    picture?.show({ f, g, at, origin: state.origin, flip, y, other, touched }, (x) => x >= least && x <= most);
    const one = sumAt(f, g, at, state.origin, flip);
    const name = (/** @type {number} */ k) => String(k - zero).replace("-", "−");
    sum.show({
      left: `y(${at})`, total: one.total,
      terms: one.terms.map((term) => ({ ...term, names: `f(${term.i})·g(${name(term.k)})` })),
    });
    meaning.textContent = meaningOf(f, g, at, one, touched < 0 ? null : { i: touched, least, most });
    const before = -windowStart(0, g.length, state.origin, flip);
    code.show(state.code, () => ({ kind: "signal", f, g, flip, before, after: g.length - 1 - before }));
    steps.show(at, f.length - 1);
    typedF.element.hidden = state.signal === "noisy"; // 300 numbers are too many for a line
    typedF.show(f);
    typedG.show(g);
    origin.show(state.origin);
    operation.show(state.operation);
    both.show(state.both);
    otherLegend.hidden = !state.both;
    example.show(Object.keys(EXAMPLES).find((each) => isExample(state, EXAMPLES[each])) ?? "");
    if (writtenFor !== state.operation) {
      writtenFor = state.operation;
      definition.replaceChildren(...definitionOf(flip));
    }
  }
  return { element, show, close: steps.stop, pause: steps.stop };
}

/**
 * @param {readonly number[] | null} list
 * @param {number} most
 * @returns {readonly number[] | null}
 */
function within(list, most) {
  return list && list.length <= most ? list : null;
}

/**
 * Whether a state shows an example, wherever its window stands.
 *
 * @param {State} state
 * @param {State} example
 */
function isExample(state, example) {
  return Object.entries(example).every(([name, value]) => name === "at" || String(state[name]) === String(value));
}

/** @param {Lab} lab */
export function originControl(lab) {
  return choiceControl({
    label: say("convolution.origin"),
    choices: [["corner", say("convolution.corner")], ["center", say("convolution.center")]],
    onChange: (origin) => lab.change({ origin }),
  });
}

/** @param {Lab} lab */
export function operationControl(lab) {
  return choiceControl({
    label: say("convolution.operation"),
    choices: [["convolution", say("convolution.convolution")], ["correlation", say("convolution.correlation")]],
    onChange: (operation) => lab.change({ operation }),
  });
}

/**
 * g as dots to drag.
 *
 * @param {Lab} lab
 * @param {number} taps
 * @param {number} zero - the index of g(0).
 * @param {HTMLElement} place
 */
function kernelChart(lab, taps, zero, place) {
  const step = Math.min(60, 400 / taps), left = 64, height = 130;
  const x = (/** @type {number} */ k) => left + (k + 0.5) * step;
  const chart = dotChart({
    count: taps, x, left, right: left + taps * step, top: 12, height,
    name: (k) => say("convolution.line.kernel_handle", { k: k - zero }),
    onDrag: (k, value) => lab.change({ g: lab.state().g.map((/** @type {number} */ old, /** @type {number} */ at) => (at === k ? value : old)) }),
  });
  const width = left + taps * step + 12;
  const marks = Array.from({ length: taps }, (_, k) =>
    svg("text", { x: x(k), y: height + 34, "text-anchor": "middle", text: String(k - zero).replace("-", "−") }));
  place.replaceChildren(svg("svg", {
    class: "kernel-chart", viewBox: `0 0 ${width} ${height + 42}`, width, height: height + 42, role: "group",
    "aria-label": say("convolution.line.kernel_picture"),
  }, chart.element, svg("g", { class: "axis", "aria-hidden": "true" }, ...marks)));
  return { show: (/** @type {readonly number[]} */ values) => chart.show([{ kind: "filter", values }]) };
}

/**
 * What the sum at a place means, in words.
 *
 * @param {readonly number[]} f
 * @param {readonly number[]} g
 * @param {number} at
 * @param {{terms: readonly unknown[], total: number}} one
 * @param {{i: number, least: number, most: number} | null} touched
 */
function meaningOf(f, g, at, one, touched) {
  if (touched) {
    const n = touched.most - touched.least + 1;
    if (n < 1) return say("convolution.line.read_by_none", { i: touched.i });
    return say("convolution.line.read_by", { i: touched.i, n, first: touched.least, last: touched.most });
  }
  const left = g.length - one.terms.length;
  if (left > 0) return say("convolution.line.left_out", { n: left, at });
  const mean = g.every((weight) => weight === g[0]) && Math.abs(g.reduce((a, b) => a + b, 0) - 1) < 1e-9;
  if (mean) return say("convolution.line.is_mean", { n: g.length, at, total: written(one.total, 4), value: written(f[at], 4) });
  return say("convolution.line.all_terms", { n: g.length, at });
}

/** @param {boolean} flip */
function definitionOf(flip) {
  const sigma = indexed("∑", "i");
  const [first, second] = flip ? ["x", "i"] : ["i", "x"];
  const other = flip
    ? formula("=", indexed("∑", "k"), "f", "(", "x", "−", "k", ")", "·", "g", "(", "k", ")")
    : formula("=", indexed("∑", "k"), "f", "(", "x", "+", "k", ")", "·", "g", "(", "k", ")");
  return [
    formula("y", "(", "x", ")", "=", sigma, "f", "(", "i", ")", "·", "g", "(", first, "−", second, ")"), other,
    html("p", { text: say(flip ? "convolution.line.why_flipped" : "convolution.line.not_flipped") }),
  ];
}
