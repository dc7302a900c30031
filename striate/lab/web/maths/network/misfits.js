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
 * @property {number} [axis] - 0 for the height, 1 for the width.
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
  const found = [];
  for (const axis of [0, 1]) {
    const sizes = windowSizes(spec, from, axis), rule = sizeRule(sizes);
    const isLeft = rule.output === null && rule.room >= 0, passes = spec.uncovered === "drop" || spec.padding === "same";
    if (rule.room < 0 || (isLeft && !passes))
      found.push({
        kind: /** @type {"larger" | "rest"} */ (isLeft ? "rest" : "larger"), values: { rest: rule.rest }, sizes, axis,
        cures: windowCures(spec, from, axis, at, isLeft),
      });
    else if (spec.layer !== "Conv2D" && lonely(sizes)) found.push(paddingMisfit(spec, sizes, axis, at));
  }
  return found;
}

/** Whether a window may lie in the padding alone, with no pixel to pool. @param {WindowSizes} sizes */
function lonely({ input, filter, dilation, before, after }) {
  const border = Math.max(before, after);
  return border > 0 && (border >= extent(filter, dilation) || dilation > input);
}

/** @param {Spec} spec @param {WindowSizes} sizes @param {number} axis @param {number} at @returns {Misfit} */
function paddingMisfit(spec, sizes, axis, at) {
  const reach = extent(sizes.filter, sizes.dilation), most = Math.min(reach - 1, Math.max(sizes.before, sizes.after));
  const none = spec.padding === "same" ? [0, 0, 0, 0] : spec.padding.map(() => 0);
  const less = spec.padding === "same" ? none : spec.padding.map((/** @type {number} */ side) => Math.min(side, most));
  const pads = sizes.dilation > sizes.input ? [none] : [less, none];
  return {
    kind: "padding", values: { border: Math.max(sizes.before, sizes.after), reach }, sizes, axis,
    cures: distinct(pads.map((value) => /** @type {Edit} */ ({ do: "set", at, option: "padding", value }))),
  };
}

/**
 * The nearest values with which alone changed the window would fit, as edits of the layer. An axis with
 * the same numbers is changed, too.
 *
 * @param {Spec} spec
 * @param {readonly number[]} from
 * @param {number} axis
 * @param {number} at
 * @param {boolean} isLeft - whether it fits somewhere, with pixels left at the end.
 * @returns {Edit[]}
 */
function windowCures(spec, from, axis, at, isLeft) {
  const sizes = windowSizes(spec, from, axis), found = cures(sizes), other = windowSizes(spec, from, 1 - axis);
  const both = JSON.stringify(sizes) === JSON.stringify(other);
  /** @type {Edit[]} */
  const edits = [];
  for (const [name, option] of /** @type {const} */ ([["stride", "stride"], ["filter", "size"], ["padding", "padding"], ["dilation", "dilation"]]))
    for (const value of found[name]) {
      const now = option === "padding" ? padsOf(spec, from) : spec[option];
      const sides = typeof value === "number" ? [value] : value, changed = [...now];
      for (const one of both ? [0, 1] : [axis]) changed.splice(one * sides.length, sides.length, ...sides);
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

/** @param {Edit[]} edits */
function distinct(edits) {
  return edits.filter((one, index) => edits.findIndex((other) => JSON.stringify(other) === JSON.stringify(one)) === index);
}
