// The sum behind a number of a pass: a value, its gradient, or the gradient of a weight.

import { say, written } from "../../core/texts.js";
import { inputShape } from "../../maths/network/description.js";
import { ACTIVATIONS } from "../../maths/network/layers/activations.js";
import { batchNormTerms, inputGradientParts, normalised } from "../../maths/network/layers/batch_norm.js";
import { multipliedBy, readBy, readersOf } from "../../maths/network/terms.js";

/** @typedef {import("./shown_pass.js").Shown} Shown */
/** @typedef {import("./network_view.js").Picked} Picked */
/** @typedef {import("../../maths/network/terms.js").Link} Link */
/** @typedef {{left: number, right: number}} Product */

/**
 * A sum in words and numbers.
 *
 * @typedef {object} Sum
 * @property {string} text - what it is.
 * @property {string[]} lines - formulas with their numbers, where it is more than a sum of products.
 * @property {Product[]} products - the first of them.
 * @property {number} more - how many follow.
 * @property {() => Product[]} all - every product.
 * @property {number | null} total - null where it is not computed yet.
 * @property {Link[]} links - which numbers take part, in one image.
 */

const MOST = 80; // products that are written

/** A number in a formula: four digits that count, negative ones in parentheses. @param {number} value */
export function inFormula(value) {
  const text = precise(value);
  return text.startsWith("−") ? `(${text})` : text;
}

/** A number with at least four digits that count: gradients are small. @param {number} value @param {number} [behind] - the point, at least. */
export function precise(value, behind = 3) {
  const size = Math.abs(value) || 1;
  return written(value, Math.min(Math.max(3 - Math.floor(Math.log10(size)), behind), 9));
}

/**
 * @param {Shown} shown
 * @param {Picked} picked
 * @param {boolean} backward
 * @returns {Sum}
 */
export function sumOf(shown, picked, backward) {
  const found = picked.kind === "weight" ? weightSum(shown, picked) : backward ? gradientSum(shown, picked) : valueSum(shown, picked);
  return found ?? { ...sum(say("learning.not_computed")), total: null };
}

/** @param {string} text @param {Partial<Sum>} [rest] @returns {Sum} */
const sum = (text, rest = {}) => ({ text, lines: [], products: [], more: 0, all: () => rest.products ?? [], total: 0, links: [], ...rest });

/** The numbers of the image that is shown. @param {Float64Array} all @param {Shown} shown */
export function ofImage(all, { pass, image }) {
  const size = all.length / pass.images;
  return all.subarray(image * size, (image + 1) * size);
}

/** Products of links; those that are too many to be written are counted. @param {Link[]} links @param {(link: Link) => Product} product */
function written80(links, product) {
  return { products: links.slice(0, MOST).map(product), more: Math.max(links.length - MOST, 0), all: () => links.map(product), links };
}

/** @param {Shown} shown @param {Picked} picked @returns {Sum | null} */
function valueSum(shown, { layer, place }) {
  const { pass, image } = shown, all = pass.values[layer + 1];
  if (!all.length) return null;
  const total = ofImage(all, shown)[place];
  if (layer < 0) return sum(say("learning.of_pixel"), { total });
  const { type, options } = pass.network.layers[layer], x = ofImage(pass.values[layer], shown);
  const links = readBy(pass.network.layers[layer], inputShape(pass.network, layer), x, place);
  if (type === "BatchNorm") return { ...batchNormValue(shown, layer, image * x.length + place), total, links };
  if (type === "Dropout") {
    const { notes } = pass.layer(layer), factor = notes ? notes[image * x.length + place] : 1;
    const text = say(notes ? (factor ? "learning.dropout.kept" : "learning.dropout.dropped") : "learning.dropout.off", {
      rate: written(options.rate ?? 0, 4), factor: written(factor, 4),
    });
    return sum(text, { products: [{ left: x[place], right: factor }], total, links });
  }
  const text = say(`learning.value_of.${type}`, { slope: options.slope ?? "", alpha: options.alpha ?? "" });
  if (type in ACTIVATIONS) return sum(text, { lines: [`f(${precise(x[place])}) = ${precise(total)}`], total, links });
  const right = (/** @type {Link} */ { weight, factor }) => (weight < 0 ? factor : pass.state[weight]);
  return sum(text, { ...written80(links, (one) => ({ left: one.input < 0 ? 1 : x[one.input], right: right(one) })), total });
}

/** @param {Shown} shown @param {number} layer @param {number} place - in the batch. @returns {Sum} */
function batchNormValue({ pass, isBatch }, layer, place) {
  const own = batchNormTerms(pass.layer(layer), place), n = inFormula;
  const eps = written(pass.network.layers[layer].options.eps ?? 0, 6);
  const { x, mean, variance, normal, scale, shift, value, numbers } = own;
  return sum(say(isBatch ? "learning.batch_norm.in_batch" : "learning.batch_norm.running", { numbers }), { lines: [
    `μ = ${n(mean)},  σ² = ${n(variance)},  ε = ${eps}`,
    `x̂ = (x − μ)/√(σ² + ε) = (${n(x)} − ${n(mean)})/√(${n(variance)} + ${eps}) = ${precise(normal)}`,
    `γ·x̂ + β = ${n(scale)}·${n(normal)} + ${n(shift)} = ${precise(value)}`,
  ] });
}

/** @param {Shown} shown @param {Picked} picked @returns {Sum | null} */
function gradientSum(shown, { layer, place }) {
  const { pass, image } = shown, { network } = pass, all = pass.gradients[layer + 1];
  if (!all.length) return null;
  const total = ofImage(all, shown)[place];
  if (layer === network.layers.length - 1) {
    const isRight = place === pass.labels[image], p = written(ofImage(pass.probabilities, shown)[place], 4);
    const text = say(isRight ? "learning.of_right_logit" : "learning.of_logit", { p });
    return sum(shown.isBatch ? `${text} ${say("learning.share", { images: pass.images })}` : text, { total });
  }
  const next = layer + 1, { type, options } = network.layers[next], above = ofImage(pass.gradients[next + 1], shown);
  const x = ofImage(pass.values[next], shown), y = ofImage(pass.values[next + 1], shown);
  const links = readersOf(network.layers[next], inputShape(network, next), x, place);
  if (type === "BatchNorm") return { ...batchNormGradient(shown, next, image * x.length + place), total, links };
  if (type === "Dropout") {
    const { notes } = pass.layer(next), factor = notes ? notes[image * x.length + place] : 1;
    return sum(say("learning.gradient_of.Dropout"), { products: [{ left: above[place], right: factor }], total, links });
  }
  const text = say(`learning.gradient_of.${type}`, { slope: options.slope ?? "", alpha: options.alpha ?? "" });
  if (type in ACTIVATIONS) {
    const slope = ACTIVATIONS[type].slope(x[place], y[place], options);
    return sum(text, { lines: [`f′(${precise(x[place])}) = ${precise(slope)}`], products: [{ left: above[place], right: slope }], total, links });
  }
  const right = (/** @type {Link} */ { weight, factor }) => (weight < 0 ? factor : pass.state[weight]);
  return sum(text, { ...written80(links, (one) => ({ left: above[one.output], right: right(one) })), total });
}

/** @param {Shown} shown @param {number} layer @param {number} place - in the batch. @returns {Sum} */
function batchNormGradient({ pass, isBatch }, layer, place) {
  const own = inputGradientParts(pass.layer(layer), place), n = inFormula;
  const { factor, above, aboveMean, normalMean, normal, direct, throughMean, throughVariance } = own;
  const first = `${say("learning.batch_norm.direct")}: γ/√(σ² + ε)·∂L/∂y = ${n(factor)}·${n(above)} = ${precise(direct)}`;
  if (!isBatch) return sum(say("learning.batch_norm.gradient_running"), { lines: [first] });
  return sum(say("learning.batch_norm.gradient_in_batch", { numbers: pass.layer(layer).notes.numbers }), { lines: [
    first,
    `${say("learning.batch_norm.through_mean")}: −γ/√(σ² + ε)·(1/m)·Σ∂L/∂y = −${n(factor)}·${n(aboveMean)} = ${precise(throughMean)}`,
    `${say("learning.batch_norm.through_variance")}: −γ/√(σ² + ε)·x̂·(1/m)·Σ(∂L/∂y·x̂) = −${n(factor)}·${n(normal)}·${n(normalMean)} = ${precise(throughVariance)}`,
    `${n(direct)} + ${n(throughMean)} + ${n(throughVariance)} = ${precise(direct + throughMean + throughVariance)}`,
  ] });
}

/** @param {Shown} shown @param {Picked} picked @returns {Sum | null} */
function weightSum({ pass, isBatch }, { layer, place }) {
  const { network } = pass, own = network.layers[layer];
  if (!pass.gradients[layer].length) return null;
  const links = multipliedBy(own, inputShape(network, layer), place);
  const x = pass.values[layer], above = pass.gradients[layer + 1], [inputs, outputs] = [x, above].map((all) => all.length / pass.images);
  const isNormal = own.type === "BatchNorm";
  /** The first products, image by image. @param {number} most */
  const some = (most) => {
    /** @type {Product[]} */
    const products = [];
    for (let image = 0; image < pass.images && products.length < most; image++)
      for (const { input, output } of links.slice(0, most - products.length)) {
        const at = image * inputs + input, met = isNormal ? normalised(pass.layer(layer), at) : x[at];
        products.push({ left: above[image * outputs + output], right: input < 0 ? 1 : met });
      }
    return products;
  };
  const products = some(MOST);
  const name = isNormal ? (place >= own.weights.shift.start ? "shift" : "scale") : "weight";
  const text = say(isBatch ? `learning.weight_in_batch.${name}` : `learning.weight_of.${name}`, { images: pass.images });
  return sum(text, { products, more: links.length * pass.images - products.length, all: () => some(Infinity), total: pass.weights[place], links });
}
