// What one neuron computes: its pixels ∘ its weights, and where it stands among the others of its group.

import { html } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { pixelsRead } from "../../maths/derivation.js";
import { numberGrid } from "../../parts/number_grid.js";
import { cellNumber, writtenSum } from "../../parts/written_sum.js";

/** @typedef {import("../../maths/derivation.js").Windows} Windows */
/** @typedef {import("../../maths/typed_numbers.js").Matrix} Matrix */

/**
 * @param {(position: number) => void} onPosition - a place of the group is chosen.
 * @returns {{element: HTMLElement, show: (image: Matrix, windows: Windows, weights: readonly number[], neuron: number, group: number, withMap: boolean) => void}}
 */
export function windowSum(onPosition) {
  const grids = html("div", { class: "grids is-small" });
  const sum = writtenSum();
  const element = html("div", {}, grids, sum.element);
  let built = "";
  /** @type {ReturnType<typeof numberGrid>[]} */
  let made = [];
  const map = html("figure");
  return {
    element,
    show(image, windows, weights, neuron, group, withMap) {
      const [rows, columns] = windows.size, [down, across] = windows.positions;
      const key = [rows, columns, down, across].join();
      if (key !== built) {
        built = key;
        const cell = Math.min(46, 200 / Math.max(rows, columns));
        made = ["input", "filter", "product"].map((kind) => numberGrid({ label: say(`dense.sum.${kind}`), rows, columns, cell, kind }));
        made.push(numberGrid({
          label: say("dense.sum.map"), rows: down, columns: across, cell: Math.min(46, 260 / Math.max(down, across)), kind: "output",
          onPoint: (row, column) => onPosition(row * across + column),
        }));
        const [patch, filter, products, output] = made.map(({ element: drawing }, index) =>
          html("figure", {}, drawing, html("figcaption", { text: say(`dense.sum.${["input", "filter", "product", "map"][index]}`) })));
        const sign = (/** @type {string} */ text) => html("span", { class: "sign", text });
        map.replaceChildren(output);
        grids.replaceChildren(patch, sign("∘"), filter, sign("="), products, map);
      }
      map.hidden = !withMap;
      const read = pixelsRead([image.rows, image.columns], windows, neuron % group);
      const values = read.map((pixel) => (pixel === null ? 0 : image.values[pixel]));
      const text = (/** @type {number} */ value) => cellNumber(value, 2);
      made[0].show({ values, text });
      made[1].show({ values: weights, text });
      made[2].show({ values: values.map((value, tap) => value * weights[tap]), text });
      const outputs = Array.from({ length: down * across }, (_, position) =>
        pixelsRead([image.rows, image.columns], windows, position).reduce(
          (/** @type {number} */ total, pixel, tap) => total + (pixel === null ? 0 : image.values[pixel]) * weights[tap], 0));
      const position = neuron % group;
      made[3].show({ values: outputs, text, place: { row: Math.floor(position / across), column: position % across } });
      sum.show({
        left: say("dense.sum.neuron", { n: neuron }), total: outputs[position],
        terms: read.map((pixel, tap) => ({
          names: `${pixel === null ? say("dense.sum.zero") : `x(${Math.floor(pixel / image.columns)}, ${pixel % image.columns})`} · w${tap + 1}`,
          value: values[tap], weight: weights[tap], product: values[tap] * weights[tap],
        })),
      });
    },
  };
}
