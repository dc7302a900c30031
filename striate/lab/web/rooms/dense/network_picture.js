// The picture that moves: an image, its pixels as a column, neurons, and lines between them.

import { html, set, svg } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { STOPS } from "../../maths/derivation_lines.js";
import { cellNumber } from "../../parts/written_sum.js";

/** @typedef {import("../../maths/derivation_lines.js").Line} Line */

/**
 * @typedef {object} NetworkView
 * @property {number} stop
 * @property {import("../../maths/typed_numbers.js").Matrix} image
 * @property {number} white - the value that is drawn white.
 * @property {number} neurons
 * @property {number} group - 0 where the neurons do not fall into groups.
 * @property {readonly Line[]} lines
 * @property {{row: number, column: number, rows: number, columns: number} | null} window
 * @property {number} pixel
 * @property {number} neuron
 * @property {"" | "pixel" | "neuron"} only
 * @property {string} said - what is seen, in words.
 */

/** Colours, which are taken in turn. */
export const HUES = 8;

/**
 * @param {object} options
 * @param {(what: "pixel" | "neuron" | "", index: number) => void} options.onPoint - pointed at; "" when no more.
 * @param {(what: "pixel" | "neuron" | "", index: number, isMove?: boolean) => void} options.onPick - clicked, or moved to by keys.
 * @returns {{element: HTMLElement, show: (view: NetworkView) => void, close: () => void}}
 */
export function networkPicture({ onPoint, onPick }) {
  const element = html("div", { class: "network" });
  let built = "", stopBefore = -1;
  /** @type {ReturnType<typeof build> | null} */
  let made = null;
  /** @type {NetworkView | null} */
  let last = null;
  const watching = new ResizeObserver(() => last && show(last));
  watching.observe(element);

  /** @param {NetworkView} view */
  function show(view) {
    last = view;
    const isNarrow = element.clientWidth > 0 && element.clientWidth < 560;
    const key = [view.image.rows, view.image.columns, view.neurons, isNarrow].join();
    if (key !== built) {
      built = key;
      made = build(view, isNarrow, onPoint, onPick);
      element.replaceChildren(made.element);
    }
    made?.show(view, view.stop !== stopBefore);
    stopBefore = view.stop;
  }
  return { element, show, close: () => watching.disconnect() };
}

/**
 * @param {NetworkView} first
 * @param {boolean} isNarrow
 * @param {(what: "pixel" | "neuron" | "", index: number) => void} onPoint
 * @param {(what: "pixel" | "neuron" | "", index: number, isMove?: boolean) => void} onPick
 */
function build({ image, neurons }, isNarrow, onPoint, onPick) {
  const count = image.rows * image.columns;
  const cell = Math.min(isNarrow ? 44 : 62, (isNarrow ? 200 : 230) / Math.max(image.rows, image.columns));
  const step = Math.max(15, Math.min(34, 470 / Math.max(count, neurons)));
  const radius = step * 0.42;
  const tall = Math.max(count, neurons) * step;
  const top = isNarrow ? image.rows * cell + 50 : 26;
  const width = isNarrow ? 380 : 860, height = top + Math.max(tall, isNarrow ? 0 : image.rows * cell) + 12;
  const matrixX = isNarrow ? (width - image.columns * cell) / 2 : 10;
  const matrixY = isNarrow ? 20 : Math.min(top + Math.max(0, (tall - image.rows * cell) / 2), 140);
  const columnX = isNarrow ? 50 : 370, neuronX = isNarrow ? 320 : 770;
  /** @param {number} index @param {number} of */
  const y = (index, of) => top + (tall - of * step) / 2 + (index + 0.5) * step;
  /** @param {number} index @returns {[number, number]} */
  const inMatrix = (index) => [matrixX + ((index % image.columns) + 0.5) * cell, matrixY + (Math.floor(index / image.columns) + 0.5) * cell];

  const lines = svg("g", { class: "lines", "aria-hidden": "true" });
  const labels = svg("g", { class: "line-labels", "aria-hidden": "true" });
  const blocks = svg("g", { class: "blocks", "aria-hidden": "true" });
  const window = svg("rect", { class: "window-frame", width: cell, height: cell });
  const cells = Array.from({ length: count }, (_, index) => {
    const [x, cy] = inMatrix(index);
    const box = svg("rect", { class: "cell", x: x - cell / 2, y: cy - cell / 2, width: cell, height: cell });
    const number = svg("text", { x, y: cy, "text-anchor": "middle", "dominant-baseline": "central" });
    return { box, number, group: svg("g", {}, box, number) };
  });
  cells.forEach(({ group }, index) => listen(group, "pixel", index));
  const nodes = Array.from({ length: count }, (_, index) => node("pixel", index));
  const units = Array.from({ length: neurons }, (_, index) => node("neuron", index));
  units.forEach(({ group }, index) => set(group, { transform: `translate(${neuronX} ${y(index, neurons)})` }));
  const pixelList = list("pixel", nodes), neuronList = list("neuron", units);
  const heads = [[matrixX + (image.columns * cell) / 2, matrixY - 9, "image"], [columnX, top - 8, "vector"], [neuronX, top - 8, "neurons"]].map(
    ([x, at, name]) => svg("text", { class: "head", x, y: at, "text-anchor": "middle", text: say(`dense.heads.${name}`) }));
  const element = svg("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "group", onpointerleave: () => onPoint("", 0),
  }, lines, blocks, svg("g", { "aria-hidden": "true" }, ...cells.map(({ group }) => group)), window, pixelList, neuronList, labels, ...heads);

  /** @param {SVGElement} target @param {"pixel" | "neuron"} what @param {number} index */
  function listen(target, what, index) {
    target.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && onPoint(what, index));
    target.addEventListener("click", () => onPick(what, index));
  }

  /** @param {"pixel" | "neuron"} what @param {number} index */
  function node(what, index) {
    const circle = svg("circle", { class: `node is-${what}`, r: radius });
    const number = svg("text", { text: index, "text-anchor": "middle", "dominant-baseline": "central", style: `font-size: ${Math.min(13, step * 0.5)}px` });
    const group = svg("g", { class: "node-place", role: "option", id: `${what}-${index}`, "aria-label": say(`dense.${what}_n`, { n: index }) }, circle, number);
    listen(group, what, index);
    return { group, circle, number };
  }

  /** @param {"pixel" | "neuron"} what @param {ReturnType<typeof node>[]} all */
  function list(what, all) {
    const box = svg("g", { role: "listbox", tabindex: 0, "aria-label": say(`dense.${what}s_list`) }, ...all.map(({ group }) => group));
    let at = 0;
    box.addEventListener("keydown", (event) => {
      /** @type {Record<string, number>} */
      const ways = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, Home: -1000, End: 1000, Enter: 0, " ": 0 };
      if (event.key === "Escape") onPick("", 0);
      else if (event.key in ways) {
        at = Math.min(Math.max(Number(box.dataset.at ?? 0) + ways[event.key], 0), all.length - 1);
        onPick(what, at, ways[event.key] !== 0);
      } else return;
      event.preventDefault();
    });
    return box;
  }

  /** @param {NetworkView} view @param {boolean} isNew - whether another figure is shown. */
  function show(view, isNew) {
    const { stop, lines: drawn, group } = view;
    const isShown = (/** @type {number} */ from) => (stop >= from ? "" : "is-away");
    set(element, { "aria-label": view.said });
    cells.forEach(({ box, number }, index) => {
      const value = view.image.values[index], shade = Math.round(255 * Math.min(Math.max(value / view.white, 0), 1));
      set(box, { style: `fill: rgb(${shade} ${shade} ${shade})` });
      const text = cellNumber(value, 1);
      set(number, { text, style: `font-size: ${Math.min(cell * 0.36, (cell * 1.5) / text.length, 17)}px; fill: ${shade > 125 ? "#000" : "#fff"}` });
    });
    const touched = new Set(drawn.map((line) => line.pixel)), told = new Set(drawn.map((line) => line.neuron));
    nodes.forEach(({ group: place, circle }, index) => {
      const [x, cy] = stop >= STOPS.vector ? [columnX, y(index, count)] : inMatrix(index);
      set(place, {
        style: `transform: translate(${x}px, ${cy}px); transition-delay: ${isNew && stop === STOPS.vector ? index * Math.min(40, 900 / count) : 0}ms`,
        class: `node-place ${isShown(STOPS.vector)}`,
        "aria-selected": String(view.only === "pixel" && view.pixel === index),
      });
      set(circle, { class: `node is-pixel${touched.has(index) && stop >= STOPS.shared ? " is-touched" : ""}` });
    });
    units.forEach(({ group: place, circle }, index) => {
      set(place, { class: `node-place ${isShown(STOPS.neurons)}`, "aria-selected": String(view.only === "neuron" && view.neuron === index) });
      const hue = group && stop >= STOPS.blocks ? ` hue-${Math.floor(index / group) % HUES}` : "";
      set(circle, { class: `node is-neuron${hue}${told.has(index) && stop >= STOPS.shared ? " is-touched" : ""}${index === view.neuron && stop >= STOPS.first ? " is-chosen" : ""}` });
    });
    for (const [what, box] of /** @type {const} */ ([["pixel", pixelList], ["neuron", neuronList]]))
      set(box, { "data-at": view[what], "aria-activedescendant": `${what}-${view[what]}`, class: isShown(what === "pixel" ? STOPS.vector : STOPS.neurons) });
    set(heads[1], { class: `head ${isShown(STOPS.vector)}` });
    set(heads[2], { class: `head ${isShown(STOPS.neurons)}` });
    showBlocks(group && stop >= STOPS.blocks ? group : 0);
    showLines(view, isNew);
    const framed = view.window;
    set(window, {
      class: `window-frame${framed ? "" : " is-away"}`,
      ...(framed ? {
        style: `transform: translate(${matrixX + framed.column * cell}px, ${matrixY + framed.row * cell}px)`,
        width: framed.columns * cell, height: framed.rows * cell,
      } : {}),
    });
  }

  /** @param {number} group */
  function showBlocks(group) {
    const wanted = group ? neurons / group : 0;
    if (blocks.childElementCount === wanted && Number(blocks.dataset.group) === group) return;
    blocks.dataset.group = String(group);
    blocks.replaceChildren(...Array.from({ length: wanted }, (_, index) => svg("rect", {
      class: `block hue-${index % HUES}`, rx: 8, x: neuronX - radius - 8, width: 2 * radius + 16,
      y: y(index * group, neurons) - step / 2 + 0.5, height: group * step - 1,
    })));
  }

  /** @param {NetworkView} view @param {boolean} isNew */
  function showLines({ stop, lines: drawn, neuron, only }, isNew) {
    /** @type {Map<string, string>} */
    const paths = new Map();
    for (const line of drawn) {
      const plain = stop === STOPS.dense;
      const isFaint = stop === STOPS.moving && only !== "pixel" && line.neuron !== neuron;
      const key = `${plain ? "is-plain" : `hue-${line.hue % HUES}`}${isFaint ? " is-faint" : ""}`;
      const path = `M${columnX + radius} ${y(line.pixel, count).toFixed(1)}L${neuronX - radius} ${y(line.neuron, neurons).toFixed(1)}`;
      paths.set(key, (paths.get(key) ?? "") + path);
    }
    const weight = drawn.length > 300 ? 0.6 : drawn.length > 60 ? 1 : 2;
    const all = [...paths];
    if (isNew) lines.replaceChildren();
    while (lines.childElementCount > all.length) lines.lastElementChild?.remove();
    while (lines.childElementCount < all.length) lines.append(svg("path"));
    all.forEach(([key, d], index) => set(lines.children[index], { class: `line ${key}`, d, "stroke-width": weight }));
    const named = stop === STOPS.weights || stop === STOPS.moving
      ? drawn.filter((line) => line.neuron === neuron || only === "pixel") : stop === STOPS.shared ? drawn.slice(0, 1) : [];
    const few = named.length <= 16 ? named : [];
    labels.replaceChildren(...few.map((line, index) => {
      const along = few.length > 1 ? 0.3 + (0.4 * index) / (few.length - 1) : 0.5;
      const [from, to] = [y(line.pixel, count), y(line.neuron, neurons)];
      return svg("text", {
        class: `line-label hue-${line.hue % HUES}`, "text-anchor": "middle", "dominant-baseline": "central",
        x: columnX + radius + (neuronX - columnX - 2 * radius) * along, y: from + (to - from) * along,
        text: stop === STOPS.shared ? "w" : `w${line.tap + 1}`,
      });
    }));
  }
  return { element, show };
}
