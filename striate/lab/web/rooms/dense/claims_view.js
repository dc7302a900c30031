// Two claims of the article to try: how weights of dense layers grow, and that inputs may not matter.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { denseWeights } from "../../maths/derivation.js";
import { ablation } from "../../maths/pixel_correlation.js";
import { readList, typed } from "../../maths/typed_numbers.js";
import { choiceControl } from "../../parts/controls.js";
import { typedControl } from "../../parts/typed_field.js";

/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../core/room.js").Lab} Lab */

const LARGEST = 1e6;
/** A count with commas between thousands. @param {number} value */
export const grouped = (value) => value.toLocaleString("en-US");

/** @param {Lab} lab */
export function calculator(lab) {
  const typedSizes = typedControl({
    label: say("dense.calculator.label"), wrong: say("dense.calculator.wrong"),
    read: (text) => {
      /** @type {readonly number[] | null} */
      const list = readList(text.replace(/[-–→]/g, " "));
      return list && list.length >= 2 && list.length <= 8 && list.every((one) => Number.isInteger(one) && one >= 1 && one <= LARGEST) ? list : null;
    },
    write: (/** @type {readonly number[]} */ list) => list.map(typed).join(" "),
    onChange: (sizes) => lab.change({ sizes }),
  });
  const examples = /** @type {[string, number[]][]} */ ([["3×3 → 90 → 50", [9, 90, 50]], ["32×32 → 500", [1024, 500]], ["256×256×3 → 1", [196608, 1]]]);
  const result = html("p", { class: "calculated" });
  const element = html("section", { class: "card" }, html("h2", { text: say("dense.calculator.heading") }),
    html("p", { text: say("dense.calculator.lead") }),
    html("div", { class: "buttons" }, ...examples.map(([text, sizes]) =>
      html("button", { type: "button", text, onclick: () => lab.change({ sizes }) }))),
    typedSizes.element, result);
  return {
    element,
    /** @param {State} state */
    show(state) {
      const sizes = /** @type {readonly number[]} */ (state.sizes);
      typedSizes.show(sizes);
      const { products, total } = denseWeights(sizes);
      const each = products.map((one, index) => `${grouped(sizes[index])} × ${grouped(sizes[index + 1])} = ${grouped(one)}`).join("; ");
      set(result, { text: products.length > 1
        ? `${each}; ${products.map(grouped).join(" + ")} = ${say("dense.calculator.weights", { n: grouped(total) })}`
        : `${each.replace(/= .*$/, "= ")}${say("dense.calculator.weights", { n: grouped(total) })}` });
    },
  };
}

/** The hidden weights of the functions to try. @type {Record<string, readonly number[]>} */
export const FUNCTIONS = { first: [3, 0, -2, 0], second: [0, 1, 0, 4], third: [1, -2, 0, 3], fourth: [1, 1, 1, 1] };

/** @param {Lab} lab */
export function ablationView(lab) {
  const which = choiceControl({
    label: say("dense.ablation.which"), choices: Object.keys(FUNCTIONS).map((name, index) => [name, `f${"₁₂₃₄"[index]}`]),
    onChange: (name) => lab.change({ function: name }),
  });
  const rows = [0, 1, 2, 3].map((index) => {
    const name = `x${"₁₂₃₄"[index]}`;
    const slider = html("input", { type: "range", min: 0, max: 1, step: 0.05, "aria-label": name, oninput: () => {
      const inputs = [...lab.state().inputs];
      inputs[index] = slider.valueAsNumber;
      lab.change({ inputs });
    } });
    const value = html("output"), left = html("span");
    return { slider, value, left, parts: [html("span", { text: name }), slider, value, left] };
  });
  const total = html("p", { class: "ablation-value" });
  const answer = html("p");
  const element = html("section", { class: "card" }, html("h2", { text: say("dense.ablation.heading") }),
    html("p", { text: say("dense.ablation.lead") }), which.element, total,
    html("div", { class: "bars" }, ...rows.flatMap(({ parts }) => parts)),
    html("details", { class: "think" }, html("summary", { text: say("dense.ablation.question") }), answer));
  return {
    element,
    /** @param {State} state */
    show(state) {
      const weights = FUNCTIONS[state.function], inputs = /** @type {readonly number[]} */ (state.inputs);
      const found = ablation(weights, inputs);
      which.show(state.function);
      set(total, { text: `f(x₁, x₂, x₃, x₄) = f(${inputs.map((one) => written(one, 2)).join(", ")}) = ${written(found.value, 2)}` });
      rows.forEach(({ slider, value, left }, index) => {
        slider.value = String(inputs[index]);
        set(value, { text: written(inputs[index], 2) });
        set(left, { text: say("dense.ablation.left_out", { value: written(found.without[index], 2) }) });
      });
      const needed = found.moves.map((move, index) => (move ? index : -1)).filter((index) => index >= 0);
      set(answer, { text: say(needed.length === 4 ? "dense.ablation.all" : "dense.ablation.some", {
        needed: needed.map((index) => `x${"₁₂₃₄"[index]}`).join(", "), n: needed.length,
        moves: found.moves.map((move, index) => `x${"₁₂₃₄"[index]}: ${written(move, 2)}`).join(", "),
      }) });
    },
  };
}
