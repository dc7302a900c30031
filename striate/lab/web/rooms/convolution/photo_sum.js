// The sum of one pixel: patch ∘ kernel = products, their sum, and what becomes of it.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { pixelOf } from "../../maths/photo_filter.js";
import { numberGrid } from "../../parts/number_grid.js";
import { cellNumber, cellWeight } from "../../parts/written_sum.js";

/** @typedef {import("../../maths/photo_filter.js").Kernel} Kernel */

const SIDE = 215; // pixels of a grid at most

/**
 * @typedef {object} SumView
 * @property {Kernel} kernel
 * @property {readonly number[]} patch
 * @property {number} sum - the filter's answer there, in float32.
 * @property {number} offset
 * @property {number} row
 * @property {number} column
 */

/** @returns {{element: HTMLElement, show: (view: SumView) => string}} `show` returns what it says of the pixel. */
export function sumPanel() {
  const grids = html("div", { class: "grids is-small" });
  const others = html("p"), result = html("p", { class: "pixel-result" });
  const swatch = html("span", { class: "swatch", "aria-hidden": "true" }), told = html("span");
  result.append(swatch, told);
  const element = html("div", {}, grids, others, result);
  let built = "";
  /** @type {ReturnType<typeof numberGrid>[]} */
  let made = [];
  return {
    element,
    show({ kernel, patch, sum, offset, row, column }) {
      const key = `${kernel.rows} ${kernel.columns}`;
      if (key !== built) {
        built = key;
        const cell = Math.min(46, SIDE / Math.max(kernel.rows, kernel.columns));
        made = ["input", "filter", "product"].map((kind) =>
          numberGrid({ label: say(`convolution.photo.grids.${kind}`), rows: kernel.rows, columns: kernel.columns, cell, kind }));
        const titled = made.map(({ element: grid }, index) =>
          html("figure", {}, grid, html("figcaption", { text: say(`convolution.photo.grids.${["input", "filter", "product"][index]}`) })));
        const sign = (/** @type {string} */ text) => html("span", { class: "sign", text });
        grids.replaceChildren(titled[0], sign("∘"), titled[1], sign("="), titled[2]);
      }
      const sums = kernel.arrays.map((array) => {
        const turned = [...array].reverse();
        return turned.reduce((total, weight, at) => total + weight * patch[at], 0);
      });
      const turned = [...kernel.arrays[0]].reverse();
      made[0].show({ values: patch, text: String, fill: (at) => gray(patch[at]), ink: (at) => (patch[at] < 128 ? "#fff" : "#000") });
      made[1].show({ values: turned, text: (value) => cellWeight(value, 3) });
      made[2].show({ values: turned.map((weight, at) => weight * patch[at]), text: (value) => cellNumber(value, 1) });
      const several = kernel.arrays.length > 1;
      others.hidden = !several;
      set(others, { text: several ? say(`convolution.photo.combined.${kernel.combine}`, {
        sums: sums.map((one) => written(one, 2)).join(", "), total: written(sum, 2),
      }) : "" });
      const exact = several ? sum : sums[0];
      const pixel = pixelOf(sum + offset);
      const kind = sum + offset < -0.5 ? "below" : sum + offset >= 255.5 ? "above" : "whole";
      const withOffset = offset ? say("convolution.photo.with_offset", { total: written(exact + offset, 2) }) : "";
      const text = `${say("convolution.photo.pixel.sum", { row, column, sum: written(exact, 2) })}${withOffset}${say(`convolution.photo.pixel.${kind}`, { pixel })}`;
      set(told, { text });
      set(swatch, { style: `background: ${gray(pixel)}` });
      return text;
    },
  };
}

/** @param {number} value */
const gray = (value) => `rgb(${value} ${value} ${value})`;
