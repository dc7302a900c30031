// Learned filters as pictures: those of the first layer at once, all others when they are asked for.

import { choice, colour, element, focusPath, grid, largest, legend, pixels } from "./draw.js";
import { decode, INPUT, report } from "./values.js";
import { exact, number } from "./words.js";

const FIRST_TILES = 64;

// pick({node, name, index}) shows what moves a weight.
export function showFilters(view, pick) {
  const layers = report.nodes
    .map((node, index) => ({ node, index }))
    .filter(({ node }) => node.arrays?.filters?.shape.length === 4);
  if (!layers.length) {
    view.append(element("p", {}, "There are no filters to show: the network has no convolution whose weights are in this page."));
    return;
  }
  const state = { layer: layers[0].index, filter: 0, all: false, picked: null };

  function draw() {
    const { node, index } = layers.find((layer) => layer.index === state.layer);
    const { numbers: filters, shape } = { numbers: decode(node.arrays.filters), shape: node.arrays.filters.shape };
    const [rows, columns, depth, kernels] = shape;
    const coloured = depth === 3 && node.inputs[0] === INPUT;
    const single = depth === 1 || coloured; // a filter is one picture
    const weight = (row, column, channel, filter) => filters[((row * columns + column) * depth + channel) * kernels + filter];
    const controls = element("div", { class: "controls" },
      choice("Layer", layers.map(({ node, index }) => [index, `${node.name}: ${node.arrays.filters.shape[3]} filters of ${node.arrays.filters.shape.slice(0, 3).join("×")}`]), index,
        (value) => change({ layer: value, filter: 0, all: false, picked: null })),
      single ? null : choice("Filter", [...Array(kernels).keys()].map((k) => [k, k]), state.filter, (value) => change({ filter: value, picked: null })));
    const total = single ? kernels : depth;
    const shown = state.all ? total : Math.min(total, FIRST_TILES);
    const most = single ? largest(filters)
      : largest(function* () { for (let c = 0; c < depth; c++) for (let k = 0; k < rows * columns; k++) yield weight(Math.floor(k / columns), k % columns, c, state.filter); }());
    const tiles = element("div", { class: "kernels" });
    for (let k = 0; k < shown; k++) {
      const [filter, channel] = single ? [k, 0] : [state.filter, k];
      const canvas = coloured
        ? pixels(rows, columns, (r, s) => [0, 1, 2].map((c) => Math.round(127.5 + (127.5 * weight(r, s, c, filter)) / (most || 1))))
        : pixels(rows, columns, (r, s) => colour(weight(r, s, channel, filter) / (most || 1)));
      canvas.setAttribute("aria-hidden", "true");
      const name = single ? `filter ${k}` : `channel ${k}`;
      tiles.append(element("button", { type: "button", class: "tile", "aria-pressed": String(state.picked === k), onclick: () => change({ picked: state.picked === k ? null : k }) }, canvas, name));
    }
    const words = coloured
      ? `Gray is 0; a channel is brighter where its weight is positive. The largest weight is ${number(most)}.`
      : single ? "" : `Filter ${state.filter} has a kernel for each of the ${depth} channels that it reads.`;
    view.replaceChildren(controls, element("p", { class: "small" }, words), tiles,
      shown < total ? element("p", {}, element("button", { type: "button", onclick: () => change({ all: true }) }, `show all ${total}`)) : "",
      coloured ? "" : legend(most),
      state.picked === null ? element("p", { class: "small" }, "Click one for its numbers.") : detail());

    function detail() {
      const filter = single ? state.picked : state.filter;
      const channels = single ? [...Array(depth).keys()] : [state.picked];
      const names = coloured ? ["red", "green", "blue"] : null;
      return element("div", { class: "card", "aria-live": "polite" },
        element("h3", {}, `${node.name}, filter ${filter}`),
        node.arrays.bias ? element("p", {}, "Bias: ", number(decode(node.arrays.bias)[filter])) : "",
        element("div", { class: "grids" }, channels.map((c) => {
          const kernel = [...Array(rows * columns).keys()].map((k) => weight(Math.floor(k / columns), k % columns, c, filter));
          const cell = (k) => element("button", { type: "button", class: "cell", title: `${exact(kernel[k])}: what moves it?`, "data-value": kernel[k],
            onclick: () => pick({ node: index, name: "filters", index: (k * depth + c) * kernels + filter }) }, number(kernel[k]));
          const caption = names ? names[c] : `channel ${c}`;
          return element("div", {}, grid(columns, kernel.length, caption, cell),
            kernelFile(`${node.name}-filter${filter}-channel${c}`, kernel, rows, columns));
        })),
        element("p", { class: "small" }, "The layer computes correlation and ", element("code", {}, "striate filter"),
          " convolution, which turns a kernel by 180°: the file holds it turned, so that ", element("code", {}, "striate filter photo.png --kernel FILE --offset 128"), " shows what the layer sees."));
    }
  }

  function kernelFile(name, kernel, rows, columns) {
    const turned = [...kernel].reverse();
    const lines = [...Array(rows).keys()].map((row) =>
      turned.slice(row * columns, (row + 1) * columns).map((x) => exact(x).replace(/−/g, "-")).join(" "));
    const text = `# ${name}, turned by 180 degrees for convolution\n${lines.join("\n")}\n`;
    const file = name.replace(/[^\p{L}\p{N}_-]/gu, "_") + ".txt";
    return element("a", { href: "data:text/plain;charset=utf-8," + encodeURIComponent(text), download: file, class: "small" }, "save this kernel");
  }

  function change(what) {
    Object.assign(state, what);
    const focused = focusPath(view);
    draw();
    focused?.();
  }

  draw();
}
