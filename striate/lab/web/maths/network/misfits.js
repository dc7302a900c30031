// Why a layer does not fit its input, and what would: each cure is an edit that can be made.

import { cures, extent, sizeRule } from "../window_size.js";

/** @typedef {import("./layer_options.js").Spec} Spec */
/** @typedef {import("../window_size.js").WindowSizes} WindowSizes */

/**
 * An edit: an option that is set, layers that are put in at a place, one that is moved or removed.
 *
 * @typedef {{do: "set", at: number, option: string, value: any}
 *   | {do: "insert", at: number, layers: string[], units?: number}
 *   | {do: "move", at: number, to: number}
 *   | {do: "remove", at: number}} Edit
 */

/**
 * Why something does not fit.
 *
 * @typedef {object} Misfit
 * @property {"larger" | "rest" | "padding" | "groups" | "image" | "vector" | "end" | "weights" | "size"} kind
 * @property {Record<string, number | string>} values - the numbers that say so.
 * @property {WindowSizes} [sizes] - along the axis of a window.
 * @property {"height" | "width" | "both"} [axis] - both where these have the same numbers.
 * @property {Edit[]} cures
 */

/**
 * (top, bottom, left, right) of a window's padding; "same" gives ceil(I / S) outputs.
 *
 * @param {Spec} spec
 * @param {readonly number[]} from
 * @returns {number[]}
 */
export function padsOf({ padding, size, stride, dilation }, from) {
  if (padding !== "same") return padding;
  return [0, 1].flatMap((axis) => {
    const outputs = Math.ceil(from[axis] / stride[axis]);
    const total = Math.max((outputs - 1) * stride[axis] + extent(size[axis], dilation[axis]) - from[axis], 0);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
}

/**
 * A window along one axis, with the numbers of the size rule.
 *
 * @param {Spec} spec
 * @param {readonly number[]} from
 * @param {number} axis
 * @returns {WindowSizes}
 */
export function windowSizes(spec, from, axis) {
  const pads = padsOf(spec, from);
  return {
    input: from[axis], filter: spec.size[axis], stride: spec.stride[axis], dilation: spec.dilation[axis],
    before: pads[2 * axis], after: pads[2 * axis + 1],
  };
}

/**
 * What is wrong with a window along the axes.
 *
 * @param {Spec} spec
 * @param {readonly number[]} from - [height, width, channels].
 * @param {number} at - the layer's place in the network.
 * @returns {Misfit[]}
 */
export function windowMisfits(spec, from, at) {
  const along = [0, 1].map((axis) => windowSizes(spec, from, axis));
  const isSquare = JSON.stringify(along[0]) === JSON.stringify(along[1]);
  return (isSquare ? [0] : [0, 1]).flatMap((axis) => {
    const sizes = along[axis], kind = faultOf(spec, sizes), { filter, dilation, before, after } = sizes;
    if (!kind) return [];
    const values = { rest: sizeRule(sizes).rest, border: Math.max(before, after), reach: extent(filter, dilation) };
    return { kind, values, sizes, axis: isSquare ? "both" : axis ? "width" : "height", cures: windowCures(spec, from, isSquare ? [0, 1] : [axis], at) };
  });
}

/**
 * Why a window does not fit along an axis; null where it does.
 *
 * @param {Spec} spec
 * @param {WindowSizes} sizes
 * @returns {"larger" | "rest" | "padding" | null}
 */
function faultOf(spec, sizes) {
  const { output, room } = sizeRule(sizes), { input, filter, dilation, before, after } = sizes;
  if (room < 0) return "larger";
  if (output === null && spec.uncovered !== "drop" && spec.padding !== "same") return "rest";
  // A window of pooling must not lie in the padding alone, with no pixel to pool.
  const border = Math.max(before, after), isPooling = spec.layer !== "Conv2D";
  return isPooling && border > 0 && (border >= extent(filter, dilation) || dilation > input) ? "padding" : null;
}

/**
 * The nearest values with which alone changed the window would fit, as edits of the layer.
 *
 * @param {Spec} spec
 * @param {readonly number[]} from
 * @param {readonly number[]} axes - that are changed; both have the same numbers.
 * @param {number} at
 * @returns {Edit[]}
 */
function windowCures(spec, from, axes, at) {
  const sizes = windowSizes(spec, from, axes[0]), found = cures(sizes), pads = padsOf(spec, from);
  /** @type {[option: string, value: any][]} */
  const candidates = [];
  /** @param {string} option @param {readonly number[]} now @param {readonly number[]} sides */
  const along = (option, now, sides) => {
    const changed = [...now];
    for (const axis of axes) changed.splice(axis * sides.length, sides.length, ...sides);
    candidates.push([option, changed]);
  };
  for (const [name, option] of /** @type {const} */ ([["stride", "stride"], ["filter", "size"], ["dilation", "dilation"]]))
    for (const value of found[name]) along(option, spec[option], [Number(value)]);
  for (const sides of found.padding) along("padding", pads, /** @type {[number, number]} */ (sides));
  candidates.push(["uncovered", "drop"], ["padding", "same"]);
  if (faultOf(spec, sizes) === "padding") {
    const most = extent(sizes.filter, sizes.dilation) - 1;
    candidates.unshift(["padding", pads.map((side) => Math.min(side, most))], ["padding", [0, 0, 0, 0]]);
  }
  const edits = candidates
    .filter(([option, value]) => option === "uncovered" || value === "same" || value.every((/** @type {number} */ side) => side <= 64))
    .map(([option, value]) => /** @type {Edit} */ ({ do: "set", at, option, value }))
    .filter((edit) => edit.do === "set" && isCured({ ...spec, [edit.option]: edit.value }, from, axes));
  return edits.length ? distinct(edits) : [{ do: "remove", at }];
}

/** Whether a window fits along some axes. @param {Spec} spec @param {readonly number[]} from @param {readonly number[]} axes */
const isCured = (spec, from, axes) => axes.every((axis) => faultOf(spec, windowSizes(spec, from, axis)) === null);

/**
 * Groups that do not divide the filters, or the channels.
 *
 * @param {Spec} spec
 * @param {number} channels
 * @param {number} at
 * @returns {Misfit[]}
 */
export function groupMisfits({ groups, filters }, channels, at) {
  if (filters % groups === 0 && channels % groups === 0) return [];
  const fitting = Array.from({ length: Math.min(channels, filters) }, (_, i) => i + 1)
    .filter((one) => channels % one === 0 && filters % one === 0)
    .sort((a, b) => Math.abs(a - groups) - Math.abs(b - groups)).slice(0, 4).sort((a, b) => a - b);
  /** @type {Edit[]} */
  const edits = fitting.map((value) => ({ do: "set", at, option: "groups", value }));
  const more = Math.ceil(filters / groups) * groups;
  if (channels % groups === 0 && more <= 128) edits.push({ do: "set", at, option: "filters", value: more });
  return [{ kind: "groups", values: { groups, filters, channels }, cures: edits }];
}

/** Each once. @template One @param {One[]} list @returns {One[]} */
function distinct(list) {
  return [...new Map(list.map((one) => [JSON.stringify(one), one])).values()];
}
