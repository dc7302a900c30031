// Volumes: W × H × channels in, O × O × filters out, as boxes; what a layer costs.

import { html, set, svg } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { layerCosts } from "../../maths/window_size.js";
import { scrolling } from "../../parts/scrolling.js";

const SLANT = 0.45, LONGEST = 150, THIN = 6, GAP = 70, TALLEST = 190;

/**
 * @returns {{element: HTMLElement, show: (view: {height: number, width: number, channels: number, filter: number,
 *   filters: number, rows: number, columns: number}) => void}}
 */
export function volumes() {
  const drawing = svg("svg", { class: "volumes", role: "img" });
  const body = html("tbody");
  const element = html("div", {}, scrolling(html("div", { class: "scroll" }, drawing)),
    html("table", { class: "costs" }, html("caption", { text: say("size.volume.costs") }), body));
  return {
    element,
    show({ height, width, channels, filter, filters, rows, columns }) {
      const unit = LONGEST / Math.max(height, width, rows, columns, 8);
      const depth = (/** @type {number} */ count) => Math.min(Math.max(count * 5, THIN), 110);
      let x = 10;
      /** @type {SVGElement[]} */
      const parts = [];
      const box = (/** @type {number} */ tall, /** @type {number} */ wide, /** @type {number} */ deep, /** @type {string} */ kind, /** @type {string} */ text) => {
        const [h, w, d] = [tall * unit, wide * unit, depth(deep) * SLANT];
        const y = TALLEST - h;
        const middle = x + (w + d) / 2;
        parts.push(svg("g", { class: `volume is-${kind}` },
          svg("path", { d: `M${x} ${y}l${d} ${-d}h${w}l${-d} ${d}z` }), svg("path", { d: `M${x + w} ${y}l${d} ${-d}v${h}l${-d} ${d}z` }),
          svg("rect", { x, y, width: w, height: h }),
          svg("text", { x: Math.max(middle, 40), y: TALLEST + 22, "text-anchor": "middle", text })));
        x = Math.max(x + w + d, middle + 45) + GAP;
      };
      const sign = (/** @type {string} */ text) => parts.push(svg("text", { class: "volume-sign", x: x - GAP / 2, y: TALLEST - 40, "text-anchor": "middle", text }));
      box(height, width, channels, "input", `${width}×${height}×${channels}`);
      sign("∗");
      box(filter, filter, channels, "filter", say("size.volume.filters", { n: filters, size: `${filter}×${filter}×${channels}` }));
      sign("→");
      if (rows && columns) box(rows, columns, filters, "output", `${columns}×${rows}×${filters}`);
      drawing.replaceChildren(...parts);
      set(drawing, { viewBox: `0 -10 ${x} ${TALLEST + 44}`, width: x, height: TALLEST + 44,
        "aria-label": say("size.volume.picture", { width, height, channels, filters, filter, rows, columns }) });
      const costs = layerCosts(filter, filter, channels, filters, rows * columns);
      const dense = height * width * channels * costs.outputs;
      /** @type {[string, string, number][]} */
      const lines = [
        ["weights", `${filter}·${filter}·${channels}·${filters}`, costs.weights],
        ["biases", `${filters}`, costs.biases],
        ["outputs", `${rows}·${columns}·${filters}`, costs.outputs],
        ["products", `${filter}·${filter}·${channels} · ${costs.outputs}`, costs.products],
        ["dense", `${height}·${width}·${channels} · ${costs.outputs}`, dense],
      ];
      body.replaceChildren(...lines.map(([name, sum, value]) => html("tr", { "data-cost": name },
        html("th", { scope: "row", text: say(`size.volume.cost.${name}`) }), html("td", { text: `${sum} =` }),
        html("td", { class: "number-cell", text: value.toLocaleString("en") }))));
    },
  };
}
