// Answers that are numbers, or sums: one, or a whole matrix of them.

import { html, math, set } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { NO_ANSWER, checkedSum } from "../../maths/exercises/checked_sum.js";
import { writtenVerdict } from "./answer.js";
import { writtenLetter } from "./written_expression.js";

/** @typedef {import("../../maths/exercises/exercise.js").Exercise} Exercise */

/**
 * @param {Exercise} exercise
 * @returns {import("./answer.js").Answer}
 */
export function numberAnswer({ asked, name = "", shape = null, mayFail }) {
  const inputs = asked.map(({ symbol }) =>
    html("input", {
      type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: 300,
      "aria-label": symbol || say("exercises.answer"), "aria-describedby": "exercise-verdict",
      oninput: (/** @type {Event} */ event) => set(/** @type {Element} */ (event.target), { class: null, "aria-invalid": null }),
    }));
  const none = html("input", { type: "checkbox" });
  if (mayFail) none.addEventListener("change", () => (inputs[0].disabled = none.checked));
  const right = asked.map(() => false);

  function check() {
    const verdicts = asked.map((one, index) => checkedSum(none.checked ? NO_ANSWER : inputs[index].value, one));
    verdicts.forEach((verdict, index) => {
      right[index] = verdict.right;
      const isWrong = !verdict.right && verdict.key !== "empty";
      set(inputs[index], { class: verdict.right ? "is-right" : isWrong ? "is-wrong" : null, "aria-invalid": isWrong && "true" });
    });
    const first = verdicts.findIndex((verdict) => !verdict.right && verdict.key !== "empty");
    const open = first < 0 ? verdicts.findIndex((verdict) => !verdict.right) : first;
    if (open < 0) return { right: true, text: say("exercises.says.right") };
    const text = writtenVerdict(verdicts[open]);
    if (asked.length === 1) return { right: false, text };
    const count = verdicts.filter((verdict) => verdict.right).length;
    return { right: false, text: `${say("exercises.says.some", { count, all: asked.length })} ${asked[open].symbol}: ${text}` };
  }

  const element = shape
    ? html("figure", { class: "given" },
        html("figcaption", {}, math("math", {}, writtenLetter(name))),
        html("div", { class: "answers", style: `grid-template-columns: repeat(${shape[1]}, minmax(3.2rem, 6rem))` }, ...inputs))
    : html("div", { class: "answer-line" },
        html("span", { "aria-hidden": "true", text: asked[0].symbol && `${asked[0].symbol} =` }), inputs[0]);
  if (mayFail) element.append(html("label", { class: "ticked" }, none, say("exercises.noFit")));
  return {
    element,
    check,
    typed: () => [...inputs.map((input) => input.value), ...(mayFail ? [none.checked ? NO_ANSWER : ""] : [])],
    fill(typed) {
      inputs.forEach((input, index) => (input.value = typed[index] ?? ""));
      if (mayFail) inputs[0].disabled = none.checked = typed[1] === NO_ANSWER;
    },
    open: () => Math.max(right.indexOf(false), 0),
  };
}
