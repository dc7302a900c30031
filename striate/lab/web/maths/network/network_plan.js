// A list of layers as a network: the sizes of each, where its weights lie, and what does not fit.

import { sizeRule } from "../window_size.js";
import { asImage, count } from "./description.js";
import { LAYERS, specOf } from "./layer_options.js";
import { groupMisfits, padsOf, windowMisfits, windowSizes } from "./misfits.js";

/** @typedef {import("./description.js").Description} Description */
/** @typedef {import("./description.js").Layer} Layer */
/** @typedef {import("./layer_options.js").Spec} Spec */
/** @typedef {import("./misfits.js").Edit} Edit */
/** @typedef {import("./misfits.js").Misfit} Misfit */

/**
 * A layer in its place.
 *
 * @typedef {object} PlannedLayer
 * @property {string} name
 * @property {readonly number[] | null} from - the shape of its input; null behind what does not fit.
 * @property {number[] | null} shape - of its output.
 * @property {Misfit[]} misfits
 * @property {number} weights - how many it has.
 * @property {number} products - multiplications by weights, for an image.
 */

/**
 * What images are and how many classes there are.
 *
 * @typedef {{input: number[], mean: number[], std: number[], classes: number}} Task
 */

/** The most that the page computes itself for an image: products, and numbers of all layers. */
export const LIMITS = { products: 6_000_000, numbers: 400_000, weights: 500_000 };

/** Arrays of weights begin at whole cache lines of so many numbers, as in striate. */
const LINE = 16;

/**
 * The network of some layers.
 *
 * @param {Task} task
 * @param {readonly Spec[]} specs
 * @returns {{layers: PlannedLayer[], end: Misfit[], description: Description | null}} `end` is what is wrong
 *   behind the last layer; the description is null where anything is.
 */
export function planned(task, specs) {
  /** @type {PlannedLayer[]} */
  const layers = [];
  /** @type {Record<string, number>} */
  const made = {};
  /** @type {readonly number[] | null} */
  let from = task.input;
  specs.forEach((spec, at) => {
    const kind = kindOf(spec.layer), name = `${kind}_${(made[kind] = (made[kind] ?? 0) + 1)}`;
    const misfits = from ? misfitsOf(spec, from, at, specs) : [];
    const shape = from && !misfits.length ? outputOf(spec, from) : null;
    const arrays = shape && from ? weightsOf(spec, from) : {};
    const weights = Object.values(arrays).reduce((sum, one) => sum + count(one), 0);
    const main = Object.values(arrays).find((one) => one.length > 1);
    layers.push({ name, from, shape, misfits, weights, products: shape && main ? count(main) * count(asImage(shape).slice(0, 2)) : 0 });
    from = shape;
  });
  const end = from ? endMisfits(task, specs, from, layers) : [];
  const fits = from && !end.length;
  return { layers, end, description: fits ? described(task, specs, layers) : null };
}

/** "max_pool2d" of MaxPool2D: the stem of names, as striate makes them. @param {string} layer */
export const kindOf = (layer) => layer.replace(/([a-z])([A-Z][a-z])/g, "$1_$2").toLowerCase();

/** @param {Spec} spec */
const hasWindow = ({ size }) => size !== undefined;

/** @param {Spec} spec @param {readonly number[]} from @param {number} at @param {readonly Spec[]} specs @returns {Misfit[]} */
function misfitsOf(spec, from, at, specs) {
  if (spec.layer === "Dense" && from.length !== 1)
    return [{ kind: "vector", values: { shape: from.join("×") }, cures: [
      { do: "insert", at, layers: ["Flatten"] }, { do: "insert", at, layers: ["GlobalAvgPool2D"] },
    ] }];
  if ((hasWindow(spec) || spec.layer === "GlobalAvgPool2D") && from.length !== 3) {
    const to = specs.findIndex(({ layer }) => ["Flatten", "GlobalAvgPool2D", "Dense"].includes(layer));
    /** @type {Edit[]} */
    const moved = to >= 0 && to < at && specs[to].layer !== "Dense" ? [{ do: "move", at, to }] : [];
    return [{ kind: "image", values: { shape: from.join("×") }, cures: [...moved, { do: "remove", at }] }];
  }
  if (!hasWindow(spec)) return [];
  const groups = spec.layer === "Conv2D" ? groupMisfits(spec, from[2], at) : [];
  return [...groups, ...windowMisfits(spec, from, at)];
}

/** @param {Spec} spec @param {readonly number[]} from @returns {number[]} */
function outputOf(spec, from) {
  if (hasWindow(spec)) {
    const [rows, columns] = [0, 1].map((axis) => sizeRule(windowSizes(spec, from, axis)).positions);
    return [rows, columns, spec.filters ?? from[2]];
  }
  if (spec.layer === "Dense") return [spec.units];
  if (spec.layer === "Flatten") return [count(from)];
  return spec.layer === "GlobalAvgPool2D" ? [from[2]] : [...from];
}

/** The shapes of a layer's weights, in striate's order. @param {Spec} spec @param {readonly number[]} from @returns {Record<string, number[]>} */
function weightsOf(spec, from) {
  if (spec.layer === "Conv2D")
    return { filters: [...spec.size, from[2] / spec.groups, spec.filters], ...(spec.bias ? { bias: [spec.filters] } : {}) };
  if (spec.layer === "Dense") return { weights: [from[0], spec.units], ...(spec.bias ? { bias: [spec.units] } : {}) };
  const channels = from.slice(-1);
  return spec.layer === "BatchNorm" ? { scale: channels, shift: channels } : {};
}

/**
 * Behind the last layer there must be one number for each class, and the page must bear the network.
 *
 * @param {Task} task
 * @param {readonly Spec[]} specs
 * @param {readonly number[]} shape
 * @param {readonly PlannedLayer[]} layers
 * @returns {Misfit[]}
 */
function endMisfits({ classes }, specs, shape, layers) {
  const at = specs.length, last = specs[at - 1];
  /** @type {Edit[]} */
  const more = [{ do: "insert", at, layers: shape.length === 3 ? ["Flatten", "Dense"] : ["Dense"], units: classes }];
  if (shape.length !== 1 || shape[0] !== classes) {
    if (last?.layer === "Dense") more.unshift({ do: "set", at: at - 1, option: "units", value: classes });
    return [{ kind: "end", values: { shape: shape.join("×"), classes }, cures: more }];
  }
  const spent = layers.map(({ products, weights, shape: own }) => ({ products, weights, numbers: count(own ?? []) }));
  /** @typedef {keyof typeof LIMITS} Cost */
  const names = /** @type {Cost[]} */ (Object.keys(LIMITS));
  const totals = Object.fromEntries(names.map((name) => [name, spent.reduce((sum, one) => sum + one[name], 0)]));
  if (totals.weights === 0) return [{ kind: "weights", values: {}, cures: more }];
  if (names.every((name) => totals[name] <= LIMITS[name])) return [];
  const shares = spent.map((one) => Math.max(...names.map((name) => one[name] / LIMITS[name])));
  const dearest = shares.indexOf(Math.max(...shares)), { filters, units } = specs[dearest];
  const half = filters ? { option: "filters", value: Math.ceil(filters / 2) } : units ? { option: "units", value: Math.ceil(units / 2) } : null;
  return [{
    kind: "size", values: { ...totals, name: layers[dearest].name },
    cures: half && half.value < (filters ?? units) && dearest < at - 1 ? [{ do: "set", at: dearest, ...half }]
      : [{ do: "insert", at: 0, layers: ["AvgPool2D"] }],
  }];
}

/**
 * @param {Task} task
 * @param {readonly Spec[]} specs
 * @param {readonly PlannedLayer[]} layers
 * @returns {Description}
 */
function described({ input, mean, std }, specs, layers) {
  let end = 0;
  /** @param {Record<string, number[]>} arrays @returns {Record<string, import("./description.js").Place>} */
  const placed = (arrays) => Object.fromEntries(Object.entries(arrays).map(([name, shape]) => {
    const start = Math.ceil(end / LINE) * LINE;
    end = start + count(shape);
    return [name, { start, shape: [...shape] }];
  }));
  const shapes = layers.map(({ from }) => /** @type {readonly number[]} */ (from));
  const weights = specs.map((spec, at) => placed(weightsOf(spec, shapes[at])));
  const size = (end = Math.ceil(end / LINE) * LINE);
  const statistics = specs.map((spec, at) =>
    placed(spec.layer === "BatchNorm" ? { mean: shapes[at].slice(-1), variance: shapes[at].slice(-1) } : {}));
  return {
    input, mean, std, size, statistics: Math.ceil(end / LINE) * LINE - size,
    layers: specs.map((spec, at) => ({
      name: layers[at].name, type: spec.layer, inputs: [at - 1], shape: /** @type {number[]} */ (layers[at].shape),
      options: optionsOf(spec, shapes[at]), weights: weights[at], statistics: statistics[at],
    })),
  };
}

/** What a layer's arithmetic needs. @param {Spec} spec @param {readonly number[]} from @returns {import("./description.js").Options} */
function optionsOf(spec, from) {
  if (spec.layer === "GlobalAvgPool2D")
    return { size: from.slice(0, 2), stride: [1, 1], dilation: [1, 1], pads: [0, 0, 0, 0], groups: 1 };
  if (!hasWindow(spec)) {
    const { layer, units, bias, ...numbers } = spec;
    return numbers;
  }
  const { size, stride, dilation, groups = 1 } = spec, pads = padsOf(spec, from);
  const counted = spec.count_padding ? pads : [0, 0, 0, 0];
  return { size, stride, dilation, pads, groups, ...(spec.layer === "AvgPool2D" ? { counted } : {}) };
}

/**
 * The layers after an edit.
 *
 * @param {readonly Spec[]} specs
 * @param {Edit} edit
 * @returns {Spec[]}
 */
export function edited(specs, edit) {
  const changed = [...specs];
  if (edit.do === "set") changed[edit.at] = { ...specs[edit.at], [edit.option]: edit.value };
  else if (edit.do === "remove") changed.splice(edit.at, 1);
  else if (edit.do === "move") changed.splice(edit.to, 0, ...changed.splice(edit.at, 1));
  else changed.splice(edit.at, 0, ...edit.layers.map((layer) => specOf(layer, "units" in LAYERS[layer] ? { units: edit.units } : {})));
  return changed;
}
