// The sum behind a number that was picked: its value, its gradient, or the move of a weight.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { inputShape } from "../../maths/network/description.js";
import { descent } from "../../maths/network/update_rules.js";
import { allLinks, readBy } from "../../maths/network/terms.js";

/** @typedef {import("../../maths/network/description.js").Description} Description */
/** @typedef {import("../../maths/network/readable_network.js").Pass} Pass */
/** @typedef {import("./network_view.js").Picked} Picked */
/** @typedef {{left: number, right: number}} Product */
/** @typedef {{text: string, products: Product[], total: number, links: import("../../maths/network/terms.js").Link[]}} Sum */

const MOST = 80; // products that are written

/**
 * @param {Description} network
 * @param {ArrayLike<number>} weights
 * @param {Pass} pass
 * @param {Picked} picked
 * @param {boolean} backward
 * @param {number} label
 * @returns {Sum}
 */
export function sumOf(network, weights, pass, { kind, layer, place }, backward, label) {
  const { layers } = network, weight = (/** @type {number} */ w) => (w < 0 ? 1 : weights[w]);
  if (kind === "weight") {
    const x = pass.values[layer], above = pass.gradients[layer + 1];
    const links = allLinks(layers[layer], inputShape(network, layer), x).filter((one) => one.weight === place);
    const products = links.map((one) => ({ left: above[one.output], right: one.input < 0 ? 1 : x[one.input] }));
    return { text: say("learning.of_weight"), products, total: pass.weights[place], links };
  }
  if (!backward) {
    if (layer < 0) return { text: say("learning.of_pixel"), products: [], total: pass.values[0][place], links: [] };
    const x = pass.values[layer];
    const links = readBy(layers[layer], inputShape(network, layer), x, place);
    const products = links.map((one) => ({ left: one.input < 0 ? 1 : x[one.input], right: weight(one.weight) }));
    return { text: say(`learning.value_of.${layers[layer].type}`), products, total: pass.values[layer + 1][place], links };
  }
  const total = pass.gradients[layer + 1][place];
  if (layer === layers.length - 1) {
    const text = say(place === label ? "learning.of_right_logit" : "learning.of_logit", { p: written(pass.probabilities[place], 4) });
    return { text, products: [], total, links: [] };
  }
  const above = pass.gradients[layer + 2], next = layers[layer + 1];
  const links = allLinks(next, inputShape(network, layer + 1), pass.values[layer + 1]).filter((one) => one.input === place);
  const products = links.map((one) => ({ left: above[one.output], right: weight(one.weight) }));
  return { text: say(`learning.gradient_of.${next.type}`), products, total, links };
}

export function explanation() {
  const text = html("p"), sum = html("p", { class: "sum-of-picked" }), move = html("p"), plain = html("p");
  const element = html("div", { class: "explanation", "aria-live": "polite" }, text, sum, move, plain);
  return {
    element,
    /** @param {Sum} found */
    show({ text: told, products, total }) {
      const shown = products.slice(0, MOST).map(({ left, right }) => `${bracketed(left)}·${bracketed(right)}`);
      if (products.length > MOST) shown.push(say("learning.more", { n: products.length - MOST }));
      set(text, { text: told });
      set(sum, { text: `${shown.length ? `${shown.join(" + ")} = ` : ""}${written(total, 5)}` });
      move.hidden = plain.hidden = true;
    },
    /** @param {ReturnType<typeof import("../../maths/training/next_move.js").moveOf>} found @param {any} rule */
    showMove({ before, after }, rule) {
      move.hidden = plain.hidden = false;
      const n = (/** @type {number} */ value) => written(value, 6);
      set(move, { text: say("learning.move", {
        weight: n(before.weight), gradient: n(before.gradient), rate: n(before.rate), mean: n(after.mean),
        square: n(after.square), unbiased: n(after.unbiasedMean), root: n(after.root), decayed: n(after.decayed),
        beta1: rule.beta1, beta2: rule.beta2, result: n(after.weight),
      }) });
      set(plain, { text: say("learning.plain_move", {
        weight: n(before.weight), rate: n(before.rate), gradient: n(before.gradient),
        result: n(descent(before.weight, before.gradient, before.rate)),
      }) });
    },
  };
}

/** @param {number} value */
function bracketed(value) {
  const text = written(value, 3);
  return text.startsWith("−") ? `(${text})` : text;
}
