// Answers that are kernels; what the kernel makes of the picture is seen while it is typed.

import { html } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { typedSum } from "../../maths/arithmetic.js";
import { kernelFaults } from "../../maths/exercises/kernel_kind.js";
import { outputShape, outputTerms, sumOf } from "../../maths/sum_terms.js";
import { numberGrid } from "../../parts/number_grid.js";
import { writtenVerdict } from "./answer.js";
import { shade } from "./given_matrices.js";

/** @typedef {import("../../maths/exercises/exercise.js").Exercise} Exercise */

const MOVE = { stride: 1, padding: 0, dilation: 1, flip: false };

/**
 * @param {Exercise} exercise
 * @returns {import("./answer.js").Answer}
 */
export function kernelAnswer({ given: [picture], kernel }) {
  const task = /** @type {import("../../maths/exercises/kernel_kind.js").KernelTask} */ (kernel);
  const { rows, columns } = task;
  const inputs = Array.from({ length: rows * columns }, (_, index) =>
    html("input", {
      type: "text", autocomplete: "off", maxlength: 30, value: "0", "aria-describedby": "exercise-verdict",
      "aria-label": say("exercises.kernelPlace", { row: Math.floor(index / columns) + 1, column: (index % columns) + 1 }),
      oninput: draw,
    }));
  const [height, width] = outputShape(picture, { rows, columns, values: [] }, MOVE);
  const answered = numberGrid({ label: say("exercises.answeredLabel"), rows: height, columns: width, kind: "output", cell: 36 });

  /** What is typed; NaN where it is no number. */
  const numbers = () => inputs.map((input) => typedSum(input.value)?.value ?? NaN);

  function draw() {
    const filter = { rows, columns, values: numbers().map((value) => (Number.isNaN(value) ? 0 : value)) };
    const values = Array.from({ length: height * width }, (_, i) =>
      sumOf(outputTerms(picture, filter, MOVE, Math.floor(i / width), i % width)));
    const most = Math.max(...values.map(Math.abs), 1e-9);
    answered.show({
      values, text: (value) => written(value, 1),
      fill: (index) => shade(values[index] < 0 ? "mark" : "output", Math.abs(values[index]) / most),
    });
  }

  function check() {
    const typed = numbers();
    const unread = typed.findIndex(Number.isNaN);
    if (unread >= 0)
      return { right: false, text: say("exercises.says.kernelUnread", { row: Math.floor(unread / columns) + 1, column: (unread % columns) + 1 }) };
    const faults = kernelFaults(typed, task);
    if (faults.length === 0) return { right: true, text: say("exercises.says.right") };
    return { right: false, text: faults.map((fault) => writtenVerdict({ right: false, ...fault })).join(" ") };
  }

  draw();
  return {
    element: html("div", { class: "kernel-answer" },
      html("div", { class: "answers", role: "group", "aria-label": say("exercises.kernel"), style: `grid-template-columns: repeat(${columns}, 4rem)` }, ...inputs),
      html("figure", { class: "given" },
        html("figcaption", { text: say("exercises.answered") }), html("div", { class: "scrolls" }, answered.element))),
    check,
    typed: () => inputs.map((input) => input.value),
    fill(typed) {
      inputs.forEach((input, index) => (input.value = typed[index] ?? "0"));
      draw();
    },
  };
}
