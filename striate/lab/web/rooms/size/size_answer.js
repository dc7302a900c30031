// The formula with the numbers in it, and what would fit where it gives no whole number.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { cures, QUANTITIES, sizeRule } from "../../maths/window_size.js";
import { coloured, formula, fraction, row } from "../../parts/formula.js";
import { MOST } from "./line_picture_sizes.js";

/** @typedef {import("../../maths/window_size.js").WindowSizes} WindowSizes */

/**
 * The rule with letters, and with the numbers of one axis.
 *
 * @param {WindowSizes} sizes
 * @returns {HTMLElement[]}
 */
function sizeFormulas(sizes) {
  const { input, filter, stride, before, after, dilation } = sizes;
  const { reach, value, output } = sizeRule(sizes);
  const result = coloured(output === null ? "mark" : "output", output === null ? written(value, 3) : output);
  const even = before === after;
  /** @type {(string | number)[]} */
  const padding = even ? [2, "·", before] : [before, "+", after];
  return [
    formula("O", "=", fraction(row(coloured("input", "I"), "−", coloured("filter", "R"), "+", ...(even ? [2, "P"] : ["P", "+", "P′"])), "S"), "+", 1),
    formula("=", fraction(row(coloured("input", input), "−", coloured("filter", reach), "+", ...padding), stride), "+", 1, "=", result),
    ...(dilation > 1
      ? [formula("R", "=", "d", "·", "(", "F", "−", 1, ")", "+", 1, "=", dilation, "·", "(", filter, "−", 1, ")", "+", 1, "=", coloured("filter", reach))]
      : []),
  ];
}

/**
 * What the answer means, and buttons with the nearest values that would fit.
 *
 * @param {import("../../core/room.js").Lab} lab
 * @returns {{element: HTMLElement, show: (sizes: WindowSizes) => void}}
 */
export function sizeAnswer(lab) {
  const formulas = html("div");
  const told = html("p", { class: "answer", role: "status" });
  const list = html("ul", { class: "cures" });
  const remedy = html("div", {}, html("h3", { text: say("size.cures.heading") }), list);
  const element = html("div", {}, formulas, told, remedy);
  let shown = "";
  return {
    element,
    show(sizes) {
      const key = JSON.stringify(sizes);
      if (key === shown) return;
      shown = key;
      formulas.replaceChildren(...sizeFormulas(sizes));
      const { output, rest, room, reach } = sizeRule(sizes);
      const name = output !== null ? "fits" : room < 0 ? "larger" : "rest";
      set(told, {
        class: `answer${output === null ? " note" : ""}`,
        text: say(`size.answer.${name}`, { n: output ?? rest, reach, padded: sizes.input + sizes.before + sizes.after }),
      });
      remedy.hidden = output !== null;
      if (output !== null) return;
      const found = cures(sizes);
      list.replaceChildren(...QUANTITIES.filter((each) => found[each].length).map((each) =>
        html("li", {}, `${say(`size.names.${each}`)}: `, ...found[each].map((value) => cureButton(lab, each, value)))));
    },
  };
}

/**
 * @param {import("../../core/room.js").Lab} lab
 * @param {typeof QUANTITIES[number]} name
 * @param {number | [number, number]} value
 */
function cureButton(lab, name, value) {
  const pair = typeof value === "number" ? null : value;
  const text = pair ? (pair[0] === pair[1] ? String(pair[0]) : say("size.cures.sides", { before: pair[0], after: pair[1] })) : String(value);
  const beyond = Math.max(...(pair ?? [Number(value)])) > MOST[name]; // more than is drawn here
  return html("button", {
    type: "button", text, disabled: beyond,
    onclick: () => lab.change(pair ? { before: pair[0], after: pair[1] } : { [name]: value }),
  });
}
