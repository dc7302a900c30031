// The view into the network: an image, its maps, the values of each layer or their gradients, and why
// each is so.

import { cardsOf } from "./cards.js";
import { explainGradient, movedBy } from "./chain_rule.js";
import { choice, colour, element, focusPath, largest, legend, pixels } from "./draw.js";
import { explain } from "./explain.js";
import { gradientsOf, hasGradient } from "./gradients.js";
import { lossWords } from "./loss_words.js";
import { movedCards } from "./moved_card.js";
import { INPUT, isImage, isShown, nodeName, patchOf, placeOf, report, shapeOf, valuesOf } from "./values.js";
import { explainWeight } from "./weight_gradients.js";
import { digits, exact, number, percent, placeText, weightText } from "./words.js";

const MOST_MAPS = 512;
const VECTOR_COLUMNS = 32;

// `index` is the chosen value, or else `weight` may be a chosen weight: {node, name, index}.
const state = {
  image: 0, node: firstLayer(), channel: 0, index: null, weight: null, direction: "values", overlay: "picture",
  rate: 0.01, trail: [],
};

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
    const following = parts.why.contains(document.activeElement) && document.activeElement.tagName !== "INPUT";
    const focused = focusPath(view);
    [...parts.strip.children].forEach((button, place) => button.setAttribute("aria-pressed", String(place === state.image)));
    parts.side.replaceChildren(...side());
    parts.layer.replaceChildren(...layerView());
    if (drawn.maps && scrolled) drawn.maps.scrollTop = scrolled;
    parts.why.replaceChildren(...why());
    parts.why.className = digits.all ? "all-digits" : "";
    if (following) (parts.layer.querySelector("canvas.values") ?? parts.layer.querySelector("select")).focus({ preventScroll: true });
    else focused?.();
  };

  function change(what) {
    Object.assign(state, what);
    draw();
  }

  // To another number; where it came from is kept for the way back.
  function follow(to) {
    const { trail, node, index, weight, direction } = state;
    if (index !== null || weight) trail.push({ node, index, weight, direction });
    select(to);
    // What is new begins there, and the click may have come from far below.
    parts.layer.scrollIntoView({ block: "start" });
  }

  function select({ node, index, weight = null, direction = state.direction }) {
    const channel = index !== null && isImage(node) ? placeOf(node, index)[2] : 0;
    change({ node, channel, index, weight, direction });
  }

  const pick = (weight) => follow({ node: weight.node, index: null, weight });
  const cards = cardsOf({ go: follow, pick, rate: () => state.rate, setRate: (rate) => change({ rate }) });

  function imageButton(image, place) {
    const right = image.truth === image.guess;
    const text = right ? report.classes[image.truth] : `${report.classes[image.truth]} → ${report.classes[image.guess]}`;
    const name = image.path ? `image ${image.index} (${image.path})` : `image ${image.index}`;
    const words = right ? `${name}, ${text}` : `${name}, ${text}: ${report.classes[image.truth]} taken for ${report.classes[image.guess]}`;
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
    return [picture, overlays, element("p", { class: "small" }, words[state.overlay]), answers, state.direction === "gradients" ? lossWords(state.image) : ""];
  }

  // The layer's values: all its maps, and one of them large enough to click.
  function layerView() {
    const nodes = [INPUT, ...report.nodes.keys()].filter(isShown);
    const back = state.direction === "gradients";
    const values = back ? gradientsOf(state.image, state.node) : valuesOf(state.image, state.node);
    const shape = shapeOf(state.node);
    const controls = element("div", { class: "controls" },
      choice("Layer", nodes.map((node) => [node, `${nodeName(node)}${node === INPUT ? "" : ` (${report.nodes[node].type})`}: ${shapeOf(node).join("×")}`]), state.node,
        (node) => change({ node, channel: 0, index: null, weight: null, trail: [] })),
      element("div", { class: "choices", role: "group", "aria-label": "Direction" }, Object.entries({ values: "values, forward", gradients: "gradients, backward" }).map(([direction, text]) =>
        element("button", { type: "button", "aria-pressed": String(state.direction === direction), onclick: () => change({ direction, trail: [] }) }, text))),
      element("label", { class: "check" }, element("input", { type: "checkbox", checked: digits.all, onchange: () => { digits.all = !digits.all; draw(); } }), "all digits"));
    if (!values) return [controls, element("p", { class: "notice" }, `The gradients of ${nodeName(state.node)} are left out of this page for their size; those of later layers may be there.`)];
    const most = largest(values);
    const [rows, columns, channels] = isImage(state.node) ? shape : [Math.ceil(shape[0] / VECTOR_COLUMNS), Math.min(shape[0], VECTOR_COLUMNS), 1];
    const at = (row, column, channel) => (row * columns + column) * channels + channel;
    const paint = (channel) => pixels(rows, columns, (row, column) =>
      at(row, column, channel) < values.length ? colour(values[at(row, column, channel)] / (most || 1)) : [128, 128, 128]);
    const shownMaps = Math.min(channels, MOST_MAPS);
    const maps = channels === 1 ? "" : allMaps(`${state.image} ${state.node} ${state.direction}`, shownMaps, paint);
    const more = channels > shownMaps ? element("p", { class: "small" }, `The first ${shownMaps} of ${channels} channels; the others are reached by following a sum.`) : "";
    return [controls, maps, more, largeMap(), legend(most)];

    // Kept while only the chosen value changes, so that it stays as it was scrolled.
    function allMaps(key, count, paint) {
      if (drawn.key !== key)
        drawn = { key, maps: element("div", { class: "maps", role: "group", "aria-label": `Channels of ${nodeName(state.node)}` },
          [...Array(count).keys()].map((c) => element("button", { type: "button", "aria-label": `channel ${c}`, onclick: () => change({ channel: c, index: null, weight: null, trail: [] }) }, paint(c), String(c)))) };
      [...drawn.maps.children].forEach((button, c) => button.setAttribute("aria-pressed", String(c === state.channel)));
      return drawn.maps;
    }

    function largeMap() {
      const side = Math.max(1, Math.min(36, Math.floor(Math.min(parts.layer.clientWidth - 4, 620) / columns)));
      const canvas = element("canvas", { class: "values", width: columns * side, height: rows * side, tabindex: 0, role: "application",
        "aria-label": `${back ? "Gradients" : "Values"} of ${nodeName(state.node)}${channels > 1 ? `, channel ${state.channel}` : ""}: arrow keys move` });
      const context = canvas.getContext("2d");
      context.imageSmoothingEnabled = false;
      context.drawImage(paint(state.channel), 0, 0, columns * side, rows * side);
      const position = element("p", { class: "position", "aria-live": "polite" }, positionText(values));
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
          change({ index, weight: null, trail: [] });
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
      return element("div", {}, element("h3", {}, `${back ? "∂L/∂ " : ""}${nodeName(state.node)}${channels > 1 ? `, channel ${state.channel}` : ""}`),
        state.node === INPUT ? "" : element("p", { class: "small mono" }, report.nodes[state.node].what), canvas, position);
    }
  }

  function positionText(values) {
    const { weight, node, index, direction } = state;
    if (weight) return weightText(weight.node, weight.name, weight.index);
    if (index === null) return "No value chosen yet.";
    return `${direction === "gradients" ? "∂L/∂ " : ""}${nodeName(node)} ${placeText(node, index)}: ${exact(values[index])}`;
  }

  // The chosen number, and how it came about: a value back to the sum or the pixel behind it, a gradient
  // on to the sum that it is of later ones.
  function why() {
    const { image, weight, trail, direction } = state;
    const back = element("div", { class: "choices" }, trail.length
      ? element("button", { type: "button", onclick: () => select(trail.pop()) }, "← back") : null);
    if (weight) return [back, cards.weightCard(explainWeight(image, weight.node, weight.name, weight.index))];
    if (state.index === null) return [];
    let [node, index] = [state.node, state.index];
    if (direction === "gradients" && !hasGradient(node)) return [back];
    const found = [back, element("div", { class: "patches" }, patchCard(), movedCards(movedBy(image, node, index), (to) => follow({ node: to.node, index: to.index })))];
    for (let step = 0; step < 12; step++) {
      const told = direction === "gradients" ? explainGradient(image, node, index) : explain(image, node, index);
      found.push(cards.whyCard(told, step === 0));
      if (told.from.length !== 1) break;
      ({ node, index } = told.from[0]);
    }
    return found;
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

  for (const button of document.querySelectorAll("[data-look]"))
    button.addEventListener("click", () => {
      change({ image: Number(button.dataset.look) });
      document.getElementById("inside").scrollIntoView();
    });
  let width = view.clientWidth;
  addEventListener("resize", () => { if (view.clientWidth !== width) { width = view.clientWidth; draw(); } });
  draw();
  return { pick };
}
