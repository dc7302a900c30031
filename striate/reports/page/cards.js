// Cards that say why a number is what it is: a value, a gradient, or what a step makes of a weight.

import { descent } from "../../lab/web/maths/network/update_rules.js";
import { element, grid, numberCell } from "./draw.js";
import { nodeName, report } from "./values.js";
import { exact, number, placeText, typeset, weightText } from "./words.js";

const FIRST_PARTS = 3; // channels whose products are written out at once
const FIRST_TERMS = 12; // terms of a long sum that are written out at once
const MOST_ROWS = 4000;
const WIDEST_GRID = 8; // columns of a map that are shown as a map, and not as a list

// What the terms of a sum are called.
const WORDS = {
  value: { products: "products, input × weight", terms: "values", factors: "weights", channels: "channels", heads: ["input", "its value", "weight", "product"] },
  gradient: {
    products: "products, ∂L/∂output × ∂output/∂value", terms: "gradients", factors: "∂output/∂value", channels: "channels of outputs",
    heads: ["output that reads it", "∂L/∂output", "∂output/∂value", "product"],
  },
  weight: {
    products: "products, ∂L/∂output × what the weight is multiplied by", terms: "gradients", factors: "multiplied by", channels: "layers that share it",
    heads: ["output", "∂L/∂output", "multiplied by", "product"],
  },
};

// The cards of a view: go({direction, node, index}) shows a value or a gradient, pick({node, name, index})
// a weight; rate() and setRate() are the learning rate.
export function cardsOf({ go, pick, rate, setRate }) {
  function whyCard(told, isFirst) {
    const { node, index, value, kind } = told;
    const name = `${told.of === "gradient" ? "∂L/∂ " : ""}${nodeName(node)} ${placeText(node, index)}`;
    const body = { sum: () => sumBody(told), max: () => maxBody(told), formula: () => [formulaLine(value, told.text)],
      input: () => [element("p", { class: "formula" }, told.text)], loss: () => lossBody(told), unknown: () => [element("p", {}, told.text)] }[kind]();
    return card(told, `${isFirst ? "" : "← "}${name} = ${exact(value)}`, [body, weightButtons(told)]);
  }

  function weightCard(told) {
    const { node, name, index, weight, kind } = told;
    const body = kind === "unknown" ? [element("p", {}, told.text)] : [sumBody(told), stepBody(told)];
    return card(told, `${weightText(node, name, index)} = ${exact(weight)}`, body);
  }

  function card(told, title, body) {
    const { node, kind, of, value, total, check } = told;
    return element("div", { class: "card", "data-of": of, "data-kind": kind, "data-node": nodeName(node), "data-value": value,
      "data-total": total, "data-fits": check && String(check.fits) }, element("h4", {}, title), body);
  }

  const formulaLine = (value, text) => element("p", { class: "formula" }, `${number(value)} = `, text);

  const lossBody = ({ value, text, check }) => [formulaLine(value, text), element("p", {}, verdict(value, check))];

  function maxBody({ part, from, of }) {
    const [won] = from;
    return [element("p", {}, `The largest of the window: ${number(won.value)}, ${placeText(won.node, won.index)} of ${nodeName(won.node)}.`),
      grid(part.columns, part.terms.length, nodeName(part.source), (k) => inputCell(of, part, part.terms[k]))];
  }

  function verdict(value, { difference, bound, fits }) {
    const [apart, most] = [difference, bound].map((x) => typeset(x.toExponential(1)));
    return element("span", { class: fits ? "ok" : "off" }, fits
      ? `✓ the engine's ${exact(value)}, to the rounding of float32 (difference ${apart}, rounding may be ${most})`
      : `✗ the engine has ${exact(value)}: they differ by ${apart}, more than the ${most} that rounding explains`);
  }

  function sumBody(told) {
    const { parts, bias, divisor, total, terms, value, check, of } = told;
    const words = WORDS[of];
    if (!parts.length) return [element("p", {}, nothing(told)), check ? element("p", {}, verdict(value, check)) : null];
    const weighted = parts.some((part) => part.terms.some(({ weight }) => weight !== null));
    const singles = parts.filter((part) => part.terms.length === 1), others = parts.filter((part) => part.terms.length > 1);
    const plural = parts.length === 1 ? "" : ` over ${parts.length} ${others.length ? words.channels : "places"}`;
    const sum = divisor ? total * divisor : total - (bias ?? 0);
    const count = terms - 1;
    const line = element("p", { class: "formula" }, count === 1 ? `One ${(weighted ? words.products : words.terms).replace(/s(,|$)/, "$1")}: ` : `Sum of ${count} ${weighted ? words.products : words.terms}${plural}: `, element("b", {}, number(sum)),
      bias === null || bias === undefined ? "" : [", plus the bias ", element("b", {}, number(bias))],
      divisor ? [", divided by ", element("b", {}, String(divisor))] : "", sum === total ? "" : [", makes ", element("b", {}, number(total))], ". ",
      check ? verdict(value, check) : element("span", {}, leftOut(told)));
    const says = [...new Set(parts.map((part) => part.says).filter(Boolean))].map((text) => element("p", { class: "small" }, `${words.factors}: ${text}.`));
    return [line, says, singlesBody(of, singles), othersBody(of, others)];
  }

  function nothing({ of, node }) {
    return of === "gradient" ? "No output reads it, so the loss does not depend on it." : `No output of ${nodeName(node)} has it as a factor of anything but 0.`;
  }

  function leftOut({ node }) {
    const images = report.nodes[node].imagesWithWeightGradients;
    const where = !images ? "left out of this page" : images === 1 ? "in this page for the first image alone" : `in this page for the first ${images} images alone`;
    return `The engine's own gradients of the ${weightCount(node)} weights of this layer are ${where}, for their size: here is nothing to compare with.`;
  }

  // Terms that stand alone, one of each part.
  function singlesBody(of, parts) {
    if (!parts.length) return null;
    if (parts.every((part) => part.terms[0].weight === null))
      return grid(1, parts.length, "addends", (k) => inputCell(of, parts[k], parts[k].terms[0], nodeName(parts[k].source)));
    return longSum(of, parts.map((part) => [part, part.terms[0]]));
  }

  function othersBody(of, parts) {
    const order = [...parts].sort((a, b) => Math.abs(b.subtotal) - Math.abs(a.subtotal));
    const shown = order.slice(0, FIRST_PARTS);
    const rest = order.length - shown.length;
    const body = [rest ? element("p", { class: "small" }, `The ${shown.length} channels that count most; all ${order.length} are below.`) : "", shown.map((part) => partBody(of, part))];
    if (rest) body.push(lazyDetails(`all ${order.length} channels`, () => subtotals(of, order)));
    return body;
  }

  const partBody = (of, part) => part.columns && (of !== "weight" || part.columns <= WIDEST_GRID)
    ? partGrids(of, part) : longSum(of, part.terms.map((term) => [part, term]));

  const channelName = ({ channel, source }) => (channel === undefined ? nodeName(source) : `channel ${channel}`);

  // One channel's window: inputs × weights = products.
  function partGrids(of, part) {
    const name = part.channel === undefined ? nodeName(part.source) : `${nodeName(part.source)}, ${channelName(part)}`;
    const { columns, terms } = part;
    const inputs = grid(columns, terms.length, of === "value" ? name : `∂L/∂ ${name}`, (k) => inputCell(of, part, terms[k]));
    if (terms[0].weight === null) return inputs;
    return element("div", { class: "grids" }, inputs, element("span", { class: "sign" }, "×"), grid(columns, terms.length, of === "gradient" && part.weights ? `weights: ${WORDS[of].factors}` : WORDS[of].factors, (k) => factorCell(part, terms[k])),
      element("span", { class: "sign" }, "="), grid(columns, terms.length, `products, sum ${number(part.subtotal)}`, (k) => numberCell(terms[k].product)));
  }

  function subtotals(of, order) {
    const list = element("div");
    for (const part of order)
      list.append(lazyDetails(`${channelName(part)}: ${number(part.subtotal)}`, () => partBody(of, part)));
    return list;
  }

  // Terms in a table, [part, term] each, those that count most first.
  function longSum(of, pairs) {
    const order = [...pairs].sort(([, a], [, b]) => Math.abs(b.product) - Math.abs(a.product));
    const rows = (some) => element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Terms of the sum" }, element("table", { class: "numbers" },
      element("thead", {}, element("tr", {}, WORDS[of].heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, some.map(([part, term]) => element("tr", {}, element("th", { scope: "row" }, term.index === null ? "padding" : `${nodeName(part.source)} ${placeText(part.source, term.index)}`),
        element("td", {}, inputCell(of, part, term)), element("td", {}, factorCell(part, term)), element("td", {}, numberCell(term.product)))))));
    const zeros = order.filter(([, { product }]) => product === 0).length;
    const shown = order.slice(0, Math.max(1, Math.min(FIRST_TERMS, order.length - zeros)));
    if (shown.length === order.length) return [rows(order)];
    const rest = order.slice(shown.length).reduce((sum, [, term]) => sum + term.product, 0);
    const all = Math.min(order.length, MOST_ROWS);
    return [element("p", { class: "small" }, order.length - zeros === shown.length
      ? `${shown.length} of the products; the other ${order.length - shown.length} are 0.`
      : `The ${shown.length} products that count most; the other ${order.length - shown.length} sum to ${number(rest)}.`), rows(shown),
      lazyDetails(`${all === order.length ? "all" : `the first ${all} of`} ${order.length} products`, () => rows(order.slice(0, all)))];
  }

  function inputCell(of, part, term, label = "") {
    const { source } = part;
    if (term.index === null) return paddingCell(part.paddingText);
    const text = (label ? `${label}: ` : "") + number(term.input);
    const [direction, what] = of === "value" ? ["values", ""] : ["gradients", "∂L/∂ "];
    return link(text, `${exact(term.input)}, ${what}${nodeName(source)} ${placeText(source, term.index)}`, term.input,
      () => go({ direction, node: source, index: term.index }), term.winner);
  }

  // What an input or gradient is multiplied by: a weight, a value, or a number that is neither.
  function factorCell({ weights, weightSource }, { weight, at, weightIndex }) {
    if (weights && at !== undefined && at !== null)
      return link(number(weight), `${exact(weight)}, ${weightText(weights.node, weights.name, at)}`, weight, () => pick({ ...weights, index: at }));
    if (weightIndex === null) return paddingCell();
    if (weightIndex !== undefined)
      return link(number(weight), `${exact(weight)}, made of ${nodeName(weightSource)} ${placeText(weightSource, weightIndex)}`, weight,
        () => go({ direction: "values", node: weightSource, index: weightIndex }));
    return weight === null ? "" : numberCell(weight);
  }

  const paddingCell = (text = "0") => element("span", { class: "cell padding", title: "padding", "data-value": 0 }, text);

  const link = (text, title, value, onclick, isWinner) =>
    element("button", { type: "button", class: `cell${isWinner ? " winner" : ""}`, title, "data-value": value, onclick }, text);

  // The weights that made a value beside those of its terms.
  function weightButtons({ also, of }) {
    if (of !== "value" || !also?.length) return null;
    return element("p", { class: "also" }, "What moves ", also.map(({ node, name, index }) =>
      element("button", { type: "button", title: weightText(node, name, index), onclick: () => pick({ node, name, index }) }, `the ${name}`)));
  }

  // A step of gradient descent, w ← w − α · ∂L/∂w.
  function stepBody({ node, weight, value, total }) {
    if (report.nodes[node].frozen) return element("p", {}, `Training leaves the weights of ${nodeName(node)} as they are: the layer is frozen.`);
    const gradient = value ?? total;
    const wrong = element("span", { role: "alert", class: "off" });
    const field = element("input", { type: "number", step: "any", min: 0, value: rate(), onchange: () => {
      if (field.value !== "" && Number(field.value) >= 0) setRate(Number(field.value));
      else wrong.textContent = "α must be 0 or more";
    } });
    return [
      element("div", { class: "controls" }, element("label", {}, "learning rate α", field), wrong),
      element("p", { class: "formula step", "data-step": descent(weight, gradient, rate()) }, "w − α · ∂L/∂w = ",
        `${exact(weight)} − ${typeset(String(rate()))} · ${gradient < 0 ? `(${exact(gradient)})` : exact(gradient)} = `, element("b", {}, exact(descent(weight, gradient, rate())))),
      element("p", { class: "small" }, "This is a step of gradient descent, F ← F − α · ∂L/∂F, for this image alone. A step of the training takes the mean gradient of a batch, and its optimiser may scale it."),
    ];
  }

  return { whyCard, weightCard };
}

const weightCount = (node) => Object.values(report.nodes[node].weightShapes)
  .reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0).toLocaleString("en");

function lazyDetails(title, make) {
  const details = element("details", { ontoggle: () => { if (details.open && details.childElementCount === 1) details.append(make()); } }, element("summary", {}, title));
  return details;
}
