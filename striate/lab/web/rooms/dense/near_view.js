// Near pixels are alike, far ones are not: measured on a photograph, in both directions.

import { html, set, svg } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { correlationApart } from "../../maths/pixel_correlation.js";
import { grayPicture, rgbaOf } from "../../maths/pixels.js";
import { numberControl } from "../../parts/controls.js";

/** @typedef {import("../../maths/pixels.js").Picture} Picture */

export const MOST_APART = 64;
const WIDTH = 420, HEIGHT = 230, LEFT = 40, BOTTOM = 30;

/**
 * @param {(apart: number) => void} onApart
 * @returns {{element: HTMLElement, open: (picture: Picture) => void, show: (apart: number) => void}}
 */
export function nearView(onApart) {
  const canvas = html("canvas", { role: "img" });
  const lines = ["across", "down"].map((axis) => svg("path", { class: `near-line near-${axis}` }));
  const mark = svg("line", { class: "near-mark", y1: 8, y2: HEIGHT - BOTTOM });
  const x = (/** @type {number} */ apart) => LEFT + (apart / MOST_APART) * (WIDTH - LEFT - 10);
  const y = (/** @type {number} */ value) => 8 + ((1 - value) / 1.4) * (HEIGHT - BOTTOM - 8);
  const ticks = [-0.4, 0, 0.5, 1].flatMap((value) => [
    svg("line", { x1: LEFT, x2: WIDTH - 10, y1: y(value), y2: y(value) }),
    svg("text", { x: LEFT - 6, y: y(value), "text-anchor": "end", "dominant-baseline": "central", text: written(value) })]);
  const below = [1, 16, 32, 48, 64].map((apart) => svg("text", { x: x(apart), y: HEIGHT - 10, "text-anchor": "middle", text: apart }));
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" }, svg("g", { class: "chart-grid" }, ...ticks, ...below), ...lines, mark);
  const slider = numberControl({ label: say("dense.near.apart"), least: 1, most: MOST_APART, onChange: onApart });
  const sentence = html("p");
  const element = html("div", { class: "near" },
    html("figure", { class: "photo" }, canvas, html("figcaption", { text: say("dense.near.picture") })),
    html("div", {}, chart, html("ul", { class: "legend" },
      html("li", { class: "legend-across", text: say("dense.near.across") }), html("li", { class: "legend-down", text: say("dense.near.down") })),
    slider.element, sentence));
  /** @type {number[][]} */
  let found = [[], []];
  let name = "";
  return {
    element,
    open(picture) {
      const gray = grayPicture(picture);
      name = picture.name;
      set(canvas, { width: gray.width, height: gray.height, "aria-label": name });
      canvas.getContext("2d")?.putImageData(new ImageData(rgbaOf(gray), gray.width, gray.height), 0, 0);
      found = /** @type {const} */ (["across", "down"]).map((axis) =>
        Array.from({ length: MOST_APART + 1 }, (_, apart) => correlationApart(gray.pixels, gray.height, gray.width, apart, axis)));
    },
    show(apart) {
      slider.show(apart);
      found.forEach((values, axis) => set(lines[axis], {
        d: values.map((value, at) => [value, at]).filter(([value]) => Number.isFinite(value))
          .map(([value, at], index) => `${index ? "L" : "M"}${x(at).toFixed(1)} ${y(Math.max(value, -0.4)).toFixed(1)}`).join(""),
      }));
      set(mark, { x1: x(apart), x2: x(apart) });
      const [across, down] = found.map((values) => (Number.isFinite(values[apart]) ? written(values[apart], 2) : say("dense.near.none")));
      sentence.textContent = say("dense.near.said", { name, apart, across, down });
      set(chart, { "aria-label": sentence.textContent });
    },
  };
}
