// The loss of each step, and the accuracy on test images after each epoch.

import { set, svg } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";

const WIDTH = 420, HEIGHT = 150;

export function lossCurve() {
  const loss = svg("polyline", { class: "curve-loss" }), accuracy = svg("polyline", { class: "curve-accuracy" });
  const top = svg("text", { x: 4, y: 14, class: "is-filter" }), right = svg("text", { x: WIDTH - 4, y: 14, "text-anchor": "end", class: "is-output" });
  const element = svg("svg", { class: "curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img" },
    svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1, class: "curve-axis" }), loss, accuracy, top, right);
  return {
    element,
    /** @param {import("../../maths/training/course.js").Course} course */
    show({ losses, epochs, steps, recipe }) {
      const most = losses.reduce((high, one) => Math.max(high, one), 0.1), every = Math.max(1, Math.floor(losses.length / WIDTH));
      const y = (/** @type {number} */ share) => (HEIGHT - 4 - share * (HEIGHT - 28)).toFixed(1);
      const points = losses.flatMap((one, i) => (i % every ? [] : [`${((i / steps) * WIDTH).toFixed(1)},${y(one / most)}`]));
      set(loss, { points: points.join(" ") });
      set(accuracy, {
        points: epochs.map((row) => `${((row.epoch / recipe.epochs) * WIDTH).toFixed(1)},${y(row.accuracy)}`).join(" "),
      });
      const last = losses.length ? written(losses[losses.length - 1], 4) : "–", row = epochs[epochs.length - 1];
      set(top, { text: say("learning.loss", { loss: last }) });
      set(right, { text: row ? say("learning.accuracy", { percent: written(100 * row.accuracy, 2) }) : "" });
      set(element, { "aria-label": `${top.textContent}; ${right.textContent}` });
    },
  };
}
