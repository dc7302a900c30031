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
    const sizes = along[axis], rule = sizeRule(sizes), where = isSquare ? "both" : axis ? "width" : "height";
    const isLeft = rule.output === null && rule.room >= 0, passes = spec.uncovered === "drop" || spec.padding === "same";
    /** @type {Misfit} */
    const found = { kind: isLeft ? "rest" : "larger", values: { rest: rule.rest }, sizes, axis: where, cures: [] };
    if (rule.room < 0 || (isLeft && !passes)) return { ...found, cures: windowCures(spec, from, isSquare ? [0, 1] : [axis], at, isLeft) };
    return spec.layer !== "Conv2D" && isLonely(sizes) ? paddingMisfit(spec, found, at) : [];
  });
}

/** Whether a window may lie in the padding alone, with no pixel to pool. @param {WindowSizes} sizes */
function isLonely({ input, filter, dilation, before, after }) {
  const border = Math.max(before, after);
  return border > 0 && (border >= extent(filter, dilation) || dilation > input);
}

/** @param {Spec} spec @param {Misfit} found @param {number} at @returns {Misfit} */
function paddingMisfit(spec, found, at) {
  const { filter, dilation, before, after, input } = /** @type {WindowSizes} */ (found.sizes), reach = extent(filter, dilation);
  /** @param {number} most */
  const padding = (most) => (spec.padding === "same" ? [0, 0, 0, 0] : spec.padding.map((/** @type {number} */ side) => Math.min(side, most)));
  const pads = distinct((dilation > input ? [0] : [reach - 1, 0]).map(padding));
  return {
    ...found, kind: "padding", values: { border: Math.max(before, after), reach },
    cures: pads.map((value) => ({ do: "set", at, option: "padding", value })),
  };
}

/**
 * The nearest values with which alone changed the window would fit, as edits of the layer.
 *
 * @param {Spec} spec
 * @param {readonly number[]} from
 * @param {readonly number[]} axes - that are changed; both have the same numbers.
 * @param {number} at
 * @param {boolean} isLeft - whether it fits somewhere, with pixels left at the end.
 * @returns {Edit[]}
 */
function windowCures(spec, from, axes, at, isLeft) {
  const found = cures(windowSizes(spec, from, axes[0]));
  /** @type {Edit[]} */
  const edits = [];
  for (const [name, option] of /** @type {const} */ ([["stride", "stride"], ["filter", "size"], ["padding", "padding"], ["dilation", "dilation"]]))
    for (const value of found[name]) {
      const now = option === "padding" ? padsOf(spec, from) : spec[option];
      const sides = typeof value === "number" ? [value] : value, changed = [...now];
      for (const one of axes) changed.splice(one * sides.length, sides.length, ...sides);
      if (changed.every((side) => side <= 64)) edits.push({ do: "set", at, option, value: changed });
    }
  if (isLeft) edits.push({ do: "set", at, option: "uncovered", value: "drop" });
  if (spec.padding !== "same") edits.push({ do: "set", at, option: "padding", value: "same" });
  else if (!isLeft) edits.push({ do: "remove", at });
  return edits;
}

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

/** @template One @param {One[]} list @returns {One[]} */
function distinct(list) {
  return [...new Map(list.map((one) => [JSON.stringify(one), one])).values()];
}
