// What was picked, explained: the sum behind it, and of a weight how the next step moves it.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { descent } from "../../maths/network/update_rules.js";
import { inFormula, precise } from "./sums.js";

export function explanation() {
  const text = html("p"), lines = html("div", { class: "formula-lines" }), products = html("p", { class: "sum-of-picked" });
  const reach = html("p", { class: "hint" }), move = html("p"), plain = html("p");
  const element = html("div", { class: "explanation", "aria-live": "polite" }, text, lines, products, reach, move, plain);
  return {
    element,
    /** @param {import("./sums.js").Sum} found @param {string} reached - what the number sees and moves; "" for a weight. */
    show(found, reached) {
      const shown = found.products.map(({ left, right }) => `${inFormula(left)}·${inFormula(right)}`);
      if (found.more > 0) shown.push(say("learning.more", { n: found.more }));
      set(text, { text: found.text });
      while (lines.childElementCount < found.lines.length) lines.append(html("p"));
      [...lines.children].forEach((line, index) => {
        set(line, { text: found.lines[index] ?? "", hidden: index >= found.lines.length });
      });
      products.hidden = found.total === null || (!shown.length && found.lines.length > 0);
      if (found.total !== null) set(products, { text: `${shown.length ? `${shown.join(" + ")} = ` : ""}${precise(found.total, 5)}` });
      set(reach, { text: reached, hidden: reached === "" });
      for (const one of [move, plain]) set(one, { text: "", hidden: true });
    },
    /** @param {ReturnType<typeof import("../../maths/training/next_move.js").moveOf>} found @param {any} rule */
    showMove({ before, after }, rule) {
      move.hidden = plain.hidden = false;
      const n = (/** @type {number} */ value) => written(value, 6);
      set(move, { text: say("learning.move", {
        weight: n(before.weight), gradient: n(before.gradient), rate: n(before.rate), mean: n(after.mean),
        square: n(after.square), unbiased: n(after.unbiasedMean), root: n(after.root), decayed: n(after.decayed),
        beta1: rule.beta1, beta2: rule.beta2, result: n(after.weight),
      }) });
      set(plain, { text: say("learning.plain_move", {
        weight: n(before.weight), rate: n(before.rate), gradient: n(before.gradient),
        result: n(descent(before.weight, before.gradient, before.rate)),
      }) });
    },
  };
}
