// The network from image to answer: values or gradients of each layer, and its filters.

import { html } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { count, parts } from "../../maths/network/description.js";
import { cellMap, largestSize } from "./cell_map.js";

/** @typedef {import("../../maths/network/description.js").Description} Description */
/** @typedef {{kind: "value" | "weight", layer: number, place: number}} Picked - layer -1 is the image. */

const SIDE = 76; // pixels of a map

/**
 * @param {Description} network
 * @param {(picked: Picked) => void} onPick
 */
export function networkView(network, onPick) {
  const element = html("div", { class: "network" });
  /** @type {{kind: "value" | "weight", layer: number, map: ReturnType<typeof cellMap>}[]} */
  const maps = [];

  /** @param {string} name @param {readonly number[]} shape @param {number} layer */
  function addValues(name, shape, layer) {
    const [rows, columns, channels] = shape.length === 3 ? shape : [Math.ceil(shape[0] / 32), Math.min(shape[0], 32), 1];
    const cell = shape.length === 3 ? Math.max(2, Math.floor(SIDE / Math.max(rows, columns))) : shape[0] <= 32 ? 28 : 12;
    return Array.from({ length: channels }, (_, channel) => {
      const map = cellMap({
        label: say("learning.map", { name, channel: channel + 1 }), rows, columns, cell,
        at: (row, column) => {
          const place = (row * columns + column) * channels + channel;
          return place < count(shape) ? place : -1;
        },
        onPick: (place) => onPick({ kind: "value", layer, place }),
      });
      maps.push({ kind: "value", layer, map });
      return map.element;
    });
  }

  /** @param {number} layer */
  function addFilters(layer) {
    const { filters } = parts(network.layers[layer]);
    if (!filters) return [];
    const [high, wide, from, made] = filters.shape.length === 4 ? filters.shape : [1, 1, ...filters.shape];
    const dense = filters.shape.length === 2;
    const [rows, columns, each] = dense ? [made, from, 1] : [high, (wide + 1) * from - 1, made];
    return Array.from({ length: each }, (_, channel) => {
      const map = cellMap({
        label: say("learning.filter", { name: network.layers[layer].name, channel: channel + 1 }),
        rows, columns, cell: dense ? 4 : from > 1 ? 8 : 18,
        at: (row, column) => {
          if (dense) return filters.start + column * made + row;
          const c = Math.floor(column / (wide + 1)), s = column % (wide + 1);
          return s === wide ? -1 : filters.start + ((row * wide + s) * from + c) * made + channel;
        },
        onPick: (place) => onPick({ kind: "weight", layer, place }),
      });
      maps.push({ kind: "weight", layer, map });
      return map.element;
    });
  }

  element.append(section(say("learning.input"), network.input, addValues(say("learning.input"), network.input, -1)));
  network.layers.forEach((layer, index) => {
    if (layer.type !== "Flatten") {
      const filters = addFilters(index);
      element.append(section(layer.name, layer.shape, addValues(layer.name, layer.shape, index), filters));
    }
  });

  return {
    element,
    /**
     * @param {readonly ArrayLike<number>[]} values - of the image, then of each layer.
     * @param {ArrayLike<number>} weights
     * @param {Picked} picked
     * @param {(kind: string, layer: number, place: number) => boolean} isLinked
     */
    show(values, weights, picked, isLinked) {
      const most = values.map(largestSize);
      for (const { kind, layer, map } of maps) {
        const filters = layer >= 0 && parts(network.layers[layer]).filters;
        const [shown, size] = kind === "value" ? [values[layer + 1], most[layer + 1]]
          : [weights, filters ? largestSize(Array.from(weights).slice(filters.start, filters.start + count(filters.shape))) : 1];
        map.show(shown, size, (place) =>
          kind === picked.kind && layer === picked.layer && place === picked.place ? "picked"
            : isLinked(kind, layer, place) ? "linked" : null);
      }
    },
  };
}

/** @param {string} name @param {readonly number[]} shape @param {Element[]} maps @param {Element[]} [filters] */
function section(name, shape, maps, filters = []) {
  return html("section", { class: "network-layer" },
    html("h2", { text: `${name} · ${shape.join("×")}` }),
    html("div", { class: "maps" }, ...maps),
    filters.length ? html("div", { class: "maps filters" }, ...filters) : null);
}
