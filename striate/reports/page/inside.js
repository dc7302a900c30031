// The view into the network: an image, its maps, the values of each layer, and why each is so.

import { choice, colour, element, focusPath, grid, largest, legend, numberCell, pixels } from "./draw.js";
import { explain } from "./explain.js";
import { INPUT, isImage, isShown, nodeName, patchOf, placeOf, report, shapeOf, valuesOf } from "./values.js";
import { digits, exact, number, percent, placeText, typeset } from "./words.js";

const FIRST_PARTS = 3; // channels whose products are written out at once
const FIRST_TERMS = 12; // terms of a long sum that are written out at once
const MOST_ROWS = 4000;
const MOST_MAPS = 512;
const VECTOR_COLUMNS = 32;

const state = { image: 0, node: firstLayer(), channel: 0, index: null, overlay: "picture", trail: [] };

function firstLayer() {
  const shown = report.nodes.findIndex((node) => node.shown);
  return shown < 0 ? INPUT : shown;
}

export function showInside(view) {
  const parts = Object.fromEntries(["strip", "side", "layer", "why"].map((name) => [name, element("div")]));
  parts.strip.className = "strip";
  parts.strip.setAttribute("role", "group");
  parts.strip.setAttribute("aria-label", "Images");
  view.append(parts.strip, element("div", { class: "inside" }, parts.side, element("div", {}, parts.layer, parts.why)));
  parts.strip.append(...report.images.map(imageButton));
  let drawn = {};
  const draw = () => {
    const scrolled = drawn.maps?.scrollTop;
    const following = parts.why.contains(document.activeElement);
    const focused = focusPath(view);
    [...parts.strip.children].forEach((button, place) => button.setAttribute("aria-pressed", String(place === state.image)));
    parts.side.replaceChildren(...side());
    parts.layer.replaceChildren(...layerView());
    if (drawn.maps && scrolled) drawn.maps.scrollTop = scrolled;
    parts.why.replaceChildren(...why());
    parts.why.className = digits.all ? "all-digits" : "";
    if (following) parts.layer.querySelector("canvas.values").focus({ preventScroll: true });
    else focused?.();
  };

  function change(what) {
    Object.assign(state, what);
    draw();
  }

  // To another value; where it came from is kept for the way back.
  function go(node, index) {
    const { trail } = state;
    if (state.index !== null) trail.push([state.node, state.index]);
    select(node, index);
    // What is new begins there, and the click may have come from far below.
    parts.layer.scrollIntoView({ block: "start" });
  }

  function select(node, index) {
    const channel = isImage(node) ? placeOf(node, index)[2] : 0;
    change({ node, channel, index });
  }

  function imageButton(image, place) {
    const right = image.truth === image.guess;
    const text = right ? report.classes[image.truth] : `${report.classes[image.truth]} → ${report.classes[image.guess]}`;
    const name = image.path ? `image ${image.index} (${image.path})` : `image ${image.index}`;
    const words = right ? `${name}, ${text}` : `${name}, ${report.classes[image.truth]} taken for ${report.classes[image.guess]}`;
    return element("button", { type: "button", "aria-label": words, onclick: () => change({ image: place }) },
      element("img", { src: image.picture, alt: "", class: "pixels" }), element("span", { class: right ? "" : "wrong" }, text));
  }

  // The image with its maps, and what the network says.
  function side() {
    const image = report.images[state.image];
    const [height, width] = report.input.shape;
    const patch = state.index === null ? null : patchOf(state.node, state.index);
    const picture = element("div", { class: "picture" },
      element("img", { src: image.picture, class: "pixels", alt: `Image ${image.index}: ${report.classes[image.truth]}` }),
      state.overlay === "picture" ? null : element("img", { src: image[state.overlay], class: "pixels", alt: `${state.overlay} map` }));
    if (patch) picture.insertAdjacentHTML("beforeend",
      `<svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true">${["under", "over"].map((name) =>
        `<rect class="${name}" x="${patch[2]}" y="${patch[0]}" width="${patch[3] - patch[2] + 1}" height="${patch[1] - patch[0] + 1}"/>`).join("")}</svg>`);
    const guess = report.classes[image.guess];
    const [low, high] = image.change;
    const words = {
      picture: `Image ${image.index} of those tested${image.path ? `: ${image.path}` : "."}`,
      saliency: `How much the score of ${guess} changes when a pixel changes a little: dark not at all, yellow most (${number(image.salient)} per unit of the network's input).`,
      occlusion: `How the probability of ${guess} changes when a patch of ${report.occlusion.patch.join("×")} pixels is covered by the mean colour: red where it falls (by ${percent(-low)} at most), blue where it rises (by ${percent(high)} at most). Mean of the ${report.occlusion.places} places that cover a pixel.`,
    };
    const overlays = element("div", { class: "choices", role: "group", "aria-label": "Maps over the image" }, Object.keys(words).map((name) =>
      element("button", { type: "button", "aria-pressed": String(state.overlay === name), onclick: () => change({ overlay: name }) }, name)));
    const order = image.probabilities.map((p, k) => [p, k]).sort((a, b) => b[0] - a[0]).slice(0, 5);
    const answers = element("table", { class: "answers" }, element("caption", { class: "small left" }, "What the network says"), element("tbody", {}, order.map(([p, k]) =>
      element("tr", {}, element("th", { scope: "row" }, report.classes[k] + (k === image.truth ? " ✓" : "")), element("td", { class: "bar", style: `--share: ${p}` }, percent(p))))));
    return [picture, overlays, element("p", { class: "small" }, words[state.overlay]), answers];
  }

  // The layer's values: all its maps, and one of them large enough to click.
  function layerView() {
    const nodes = [INPUT, ...report.nodes.keys()].filter(isShown);
    const values = valuesOf(state.image, state.node);
    const shape = shapeOf(state.node);
    const controls = element("div", { class: "controls" },
      choice("Layer", nodes.map((node) => [node, `${nodeName(node)}${node === INPUT ? "" : ` (${report.nodes[node].type})`}: ${shapeOf(node).join("×")}`]), state.node,
        (node) => change({ node, channel: 0, index: null, trail: [] })),
      element("label", { class: "check" }, element("input", { type: "checkbox", checked: digits.all, onchange: () => { digits.all = !digits.all; draw(); } }), "all digits"));
    const most = largest(values);
    const [rows, columns, channels] = isImage(state.node) ? shape : [Math.ceil(shape[0] / VECTOR_COLUMNS), Math.min(shape[0], VECTOR_COLUMNS), 1];
    const at = (row, column, channel) => (row * columns + column) * channels + channel;
    const paint = (channel) => pixels(rows, columns, (row, column) =>
      at(row, column, channel) < values.length ? colour(values[at(row, column, channel)] / (most || 1)) : [128, 128, 128]);
    const shownMaps = Math.min(channels, MOST_MAPS);
    const maps = channels === 1 ? "" : allMaps(`${state.image} ${state.node}`, shownMaps, paint);
    const more = channels > shownMaps ? element("p", { class: "small" }, `The first ${shownMaps} of ${channels} channels; the others are reached by following a sum.`) : "";
    return [controls, maps, more, largeMap(), legend(most)];

    // Kept while only the chosen value changes, so that it stays as it was scrolled.
    function allMaps(key, count, paint) {
      if (drawn.key !== key)
        drawn = { key, maps: element("div", { class: "maps", role: "group", "aria-label": `Channels of ${nodeName(state.node)}` },
          [...Array(count).keys()].map((c) => element("button", { type: "button", "aria-label": `channel ${c}`, onclick: () => change({ channel: c, index: null, trail: [] }) }, paint(c), String(c)))) };
      [...drawn.maps.children].forEach((button, c) => button.setAttribute("aria-pressed", String(c === state.channel)));
      return drawn.maps;
    }

    function largeMap() {
      const side = Math.max(1, Math.min(36, Math.floor(Math.min(parts.layer.clientWidth - 4, 620) / columns)));
      const canvas = element("canvas", { class: "values", width: columns * side, height: rows * side, tabindex: 0, role: "application",
        "aria-label": `Values of ${nodeName(state.node)}${channels > 1 ? `, channel ${state.channel}` : ""}: arrow keys move` });
      const context = canvas.getContext("2d");
      context.imageSmoothingEnabled = false;
      context.drawImage(paint(state.channel), 0, 0, columns * side, rows * side);
      const position = element("p", { class: "position", "aria-live": "polite" }, state.index === null ? "No value chosen yet." : valueText(state.node, state.index));
      const cursor = state.index === null ? null : isImage(state.node) ? placeOf(state.node, state.index) : [Math.floor(state.index / columns), state.index % columns];
      if (cursor) {
        for (const [width, ink] of [[5, "#000000"], [2, "#19d3f3"]]) {
          context.lineWidth = width;
          context.strokeStyle = ink;
          context.strokeRect(cursor[1] * side, cursor[0] * side, side, side);
        }
      }
      const pick = (row, column) => {
        const index = at(row, column, state.channel);
        if (row >= 0 && row < rows && column >= 0 && column < columns && index < values.length)
          change({ index, trail: [] });
      };
      canvas.addEventListener("click", (event) => {
        const box = canvas.getBoundingClientRect();
        const border = canvas.clientLeft;
        pick(Math.floor(((event.clientY - box.top - border) / canvas.clientHeight) * rows),
          Math.floor(((event.clientX - box.left - border) / canvas.clientWidth) * columns));
      });
      canvas.addEventListener("keydown", (event) => {
        const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (!move) return;
        event.preventDefault();
        const [row, column] = cursor ?? [0, 0];
        if (cursor) pick(row + move[0], column + move[1]);
        else pick(0, 0);
      });
      return element("div", {}, element("h4", {}, `${nodeName(state.node)}${channels > 1 ? `, channel ${state.channel}` : ""}`),
        state.node === INPUT ? "" : element("p", { class: "small mono" }, report.nodes[state.node].what), canvas, position);
    }
  }

  const valueText = (node, index) => `${nodeName(node)} ${placeText(node, index)}: ${exact(valuesOf(state.image, node)[index])}`;

  // The chosen value, and how it came about, back to the sum or the pixel behind it.
  function why() {
    if (state.index === null) return [];
    const cards = [element("div", { class: "choices" }, state.trail.length
      ? element("button", { type: "button", onclick: () => select(...state.trail.pop()) }, "← back") : null), patchCard()];
    let [node, index] = [state.node, state.index];
    for (let step = 0; step < 12; step++) {
      const told = explain(state.image, node, index);
      cards.push(whyCard(told, step === 0));
      if (told.from.length !== 1) break;
      ({ node, index } = told.from[0]);
    }
    return cards;
  }

  function patchCard() {
    const patch = patchOf(state.node, state.index);
    if (!patch) return element("p", {}, "It sees no pixel of the image, padding only.");
    const [top, bottom, left, right] = patch;
    const [height, width] = [bottom - top + 1, right - left + 1];
    const canvas = element("canvas", { width, height, role: "img", "aria-label": "the patch of the image that it saw" });
    const source = view.querySelector(`.strip button:nth-child(${state.image + 1}) img`);
    const crop = () => canvas.getContext("2d").drawImage(source, left, top, width, height, 0, 0, width, height);
    if (source.complete && source.naturalWidth) crop();
    else source.addEventListener("load", crop, { once: true });
    const all = height === report.input.shape[0] && width === report.input.shape[1];
    return element("div", { class: "patch" }, canvas,
      element("p", { id: "patch-text" }, all ? `It sees the whole image, ${height}×${width} pixels.` : `It sees ${height}×${width} pixels: rows ${top} to ${bottom}, columns ${left} to ${right}.`));
  }

  function whyCard(told, isFirst) {
    const { node, index, value, kind } = told;
    const title = `${isFirst ? "" : "← "}${nodeName(node)} ${placeText(node, index)} = ${exact(value)}`;
    const body = { sum: () => sumBody(told), max: () => maxBody(told), formula: () => [formulaLine(value, told.text)],
      input: () => [element("p", { class: "formula" }, told.text)], unknown: () => [element("p", {}, told.text)] }[kind]();
    return element("div", { class: "card", "data-kind": kind, "data-node": nodeName(node), "data-value": value,
      "data-total": told.total, "data-fits": told.check && String(told.check.fits) }, element("h4", {}, title), body);
  }

  const formulaLine = (value, text) => element("p", { class: "formula" }, `${number(value)} = `, text);

  function maxBody({ part, from }) {
    const [won] = from;
    return [element("p", {}, `The largest of the window: ${number(won.value)}, ${placeText(won.node, won.index)} of ${nodeName(won.node)}.`),
      grid(part.columns, part.terms.length, nodeName(part.source), (k) => inputCell(part, part.terms[k]))];
  }

  function sumBody({ parts, bias, divisor, total, terms, value, check }) {
    const plural = parts.length === 1 ? "" : ` over ${parts.length} ${parts[0].terms.length === 1 ? "inputs" : "channels"}`;
    const what = parts[0].terms[0].weight === null ? "values" : "products, input × weight";
    const sum = divisor ? total * divisor : total - (bias ?? 0);
    const line = element("p", { class: "formula" }, `Sum of ${terms - 1} ${what}${plural}: `, element("b", {}, number(sum)),
      bias === null || bias === undefined ? "" : [", plus the bias ", element("b", {}, number(bias))],
      divisor ? [", divided by ", element("b", {}, String(divisor))] : "", sum === total ? "" : [", makes ", element("b", {}, number(total))], ". ",
      element("span", { class: check.fits ? "ok" : "off" }, check.fits
        ? `✓ the engine's ${exact(value)}, to the rounding of float32 (difference ${typeset(check.difference.toExponential(1))})`
        : `✗ the engine has ${exact(value)}: they differ by ${typeset(check.difference.toExponential(1))}, more than rounding explains`));
    const order = [...parts].sort((a, b) => Math.abs(b.subtotal) - Math.abs(a.subtotal));
    if (parts.every((part) => part.terms.length === 1))
      return [line, grid(1, parts.length, "addends", (k) => inputCell(parts[k], parts[k].terms[0], nodeName(parts[k].source)))];
    if (!parts[0].columns) return [line, ...longSum(parts[0])];
    const shown = order.slice(0, FIRST_PARTS);
    const rest = order.length - shown.length;
    const body = [line, rest ? element("p", { class: "small" }, `The ${shown.length} channels that count most; all ${order.length} are below.`) : "", shown.map(partGrids)];
    if (rest) body.push(lazyDetails(`all ${order.length} channels`, () => subtotals(order)));
    return body;
  }

  // One channel's window: inputs × weights = products.
  function partGrids(part) {
    const name = `${nodeName(part.source)}, channel ${part.channel}`;
    const { columns, terms } = part;
    const inputs = grid(columns, terms.length, name, (k) => inputCell(part, terms[k]));
    if (terms[0].weight === null) return inputs;
    return element("div", { class: "grids" }, inputs, element("span", { class: "sign" }, "×"), grid(columns, terms.length, "weights", (k) => numberCell(terms[k].weight)),
      element("span", { class: "sign" }, "="), grid(columns, terms.length, `products, sum ${number(part.subtotal)}`, (k) => numberCell(terms[k].product)));
  }

  function subtotals(order) {
    const list = element("div");
    for (const part of order)
      list.append(lazyDetails(`channel ${part.channel}: ${number(part.subtotal)}`, () => partGrids(part)));
    return list;
  }

  function longSum(part) {
    const order = [...part.terms].sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
    const rows = (terms) => element("div", { class: "scroll" }, element("table", { class: "numbers" },
      element("thead", {}, element("tr", {}, ["input", "its value", "weight", "product"].map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, terms.map((t) => element("tr", {}, element("th", { scope: "row" }, `${nodeName(part.source)} ${placeText(part.source, t.index)}`),
        element("td", {}, inputCell(part, t)), element("td", {}, numberCell(t.weight)), element("td", {}, numberCell(t.product)))))));
    const shown = order.slice(0, FIRST_TERMS);
    if (shown.length === order.length) return [rows(order)];
    const rest = order.slice(FIRST_TERMS).reduce((sum, t) => sum + t.product, 0);
    const all = Math.min(order.length, MOST_ROWS);
    return [element("p", { class: "small" }, `The ${shown.length} products that count most; the other ${order.length - shown.length} sum to ${number(rest)}.`), rows(shown),
      lazyDetails(`${all === order.length ? "all" : `the first ${all} of`} ${order.length} products`, () => rows(order.slice(0, all)))];
  }

  function inputCell(part, term, label = "") {
    const text = (label ? `${label}: ` : "") + number(term.input);
    const name = "cell" + (term.winner ? " winner" : "");
    if (term.index === null) return element("span", { class: "cell padding", title: "padding", "data-value": 0 }, part.paddingText ?? "0");
    return element("button", { type: "button", class: name, title: `${exact(term.input)}, ${nodeName(part.source)} ${placeText(part.source, term.index)}`,
      "data-value": term.input, onclick: () => go(part.source, term.index) }, text);
  }

  function lazyDetails(title, make) {
    const details = element("details", { ontoggle: () => { if (details.open && details.childElementCount === 1) details.append(make()); } }, element("summary", {}, title));
    return details;
  }

  for (const button of document.querySelectorAll("[data-look]"))
    button.addEventListener("click", () => {
      change({ image: Number(button.dataset.look) });
      document.getElementById("inside").scrollIntoView();
    });
  let width = view.clientWidth;
  addEventListener("resize", () => { if (view.clientWidth !== width) { width = view.clientWidth; draw(); } });
  draw();
}
