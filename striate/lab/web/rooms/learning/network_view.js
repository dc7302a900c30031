// The network from image to answer: values or gradients of each layer, and its weights.

import { html } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { count } from "../../maths/network/description.js";
import { holds } from "../../maths/network/reach.js";
import { cellMap, largestSize, mapGroup } from "./cell_map.js";

/** @typedef {import("../../maths/network/description.js").Description} Description */
/** @typedef {import("../../maths/network/description.js").Place} Place */
/** @typedef {import("./cell_map.js").CellMap} CellMap */
/** @typedef {{kind: "value" | "weight", layer: number, place: number}} Picked - layer -1 is the image. */

const SIDE = 76; // pixels of a map
const MOST_CELLS = 20_000; // of the weights of a layer: more are not drawn

/**
 * @param {Description} network
 * @param {(picked: Picked) => void} onPick
 */
export function networkView(network, onPick) {
  const element = html("div", { class: "network" });
  /** @type {{kind: "value" | "weight", layer: number, own: Place | null, map: CellMap}[]} */
  const maps = [];

  /**
   * @param {Omit<Picked, "place"> & {own?: Place}} what
   * @param {{label: string, rows: number, columns: number, cell: number, at: (row: number, column: number) => number}} options
   * @param {(text: string) => void} onPoint
   */
  function add({ kind, layer, own = undefined }, options, onPoint) {
    const map = cellMap({ ...options, onPoint, onPick: (place) => onPick({ kind, layer, place }) });
    maps.push({ kind, layer, own: own ?? null, map });
    return map;
  }

  /** @param {string} name @param {readonly number[]} shape @param {number} layer @param {(text: string) => void} onPoint */
  function valueMaps(name, shape, layer, onPoint) {
    const [rows, columns, channels] = shape.length === 3 ? shape : [Math.ceil(shape[0] / 32), Math.min(shape[0], 32), 1];
    const cell = shape.length === 3 ? Math.max(2, Math.floor(SIDE / Math.max(rows, columns))) : shape[0] <= 32 ? 28 : 12;
    return Array.from({ length: channels }, (_, channel) => add({ kind: "value", layer }, {
      label: say("learning.map", { name, channel: channel + 1 }), rows, columns, cell,
      at: (row, column) => {
        const place = (row * columns + column) * channels + channel;
        return place < count(shape) ? place : -1;
      },
    }, onPoint));
  }

  /** @param {number} layer @param {(text: string) => void} onPoint */
  function weightMaps(layer, onPoint) {
    const { name, weights } = network.layers[layer];
    return Object.entries(weights).flatMap(([part, own]) => {
      const { start, shape } = own;
      if (count(shape) > MOST_CELLS) return [];
      if (shape.length === 4) return filterMaps(layer, own, onPoint);
      // A matrix has a row for each output; a bias, or a factor of each channel, is one row.
      const [rows, columns] = shape.length === 2 ? [shape[1], shape[0]] : [1, shape[0]];
      return [add({ kind: "weight", layer, own }, {
        label: say("learning.weights", { name, part }), rows, columns, cell: columns > 100 ? 4 : columns > 32 ? 8 : 14,
        at: (row, column) => start + (shape.length === 2 ? column * rows + row : column),
      }, onPoint)];
    });
  }

  /** @param {number} layer @param {Place} own @param {(text: string) => void} onPoint */
  function filterMaps(layer, own, onPoint) {
    const [high, wide, from, made] = own.shape;
    return Array.from({ length: made }, (_, channel) => add({ kind: "weight", layer, own }, {
      label: say("learning.filter", { name: network.layers[layer].name, channel: channel + 1 }),
      rows: high, columns: (wide + 1) * from - 1, cell: from > 1 ? 8 : 18,
      at: (row, column) => {
        const c = Math.floor(column / (wide + 1)), s = column % (wide + 1);
        return s === wide ? -1 : own.start + ((row * wide + s) * from + c) * made + channel;
      },
    }, onPoint));
  }

  /** @param {string} name @param {readonly number[]} shape @param {number} layer */
  function section(name, shape, layer) {
    const here = html("p", { class: "hint here" });
    const onPoint = (/** @type {string} */ text) => void (here.textContent = text);
    const weights = layer < 0 ? [] : weightMaps(layer, onPoint);
    element.append(html("section", { class: "network-layer" },
      html("div", { class: "network-head" }, html("h2", { text: `${name} · ${shape.join("×")}` }), here),
      mapGroup(say("learning.values_of", { name }), "", valueMaps(name, shape, layer, onPoint)),
      weights.length ? mapGroup(say("learning.weights_of", { name }), "filters", weights) : null));
  }

  section(say("learning.input"), network.input, -1);
  network.layers.forEach(({ name, type, shape }, index) => {
    if (type !== "Flatten") section(name, shape, index);
  });

  return {
    element,
    /**
     * @param {(layer: number) => Float64Array} valuesOf - of the image (-1) or a layer; none where they
     *   are not computed yet.
     * @param {(layer: number) => Float32Array | Float64Array} weightsOf - all weights, or none for those of a layer.
     * @param {Picked} picked
     * @param {(kind: string, layer: number, place: number) => boolean} isLinked
     * @param {Map<number, import("../../maths/network/reach.js").Area>} reach - by layer; values of all of a layer are not marked.
     */
    show(valuesOf, weightsOf, picked, isLinked, reach) {
      /** @type {Map<number | Place, number>} */
      const most = new Map();
      for (const { kind, layer, own, map } of maps) {
        const shown = own ? weightsOf(layer) : valuesOf(layer), part = own ?? layer;
        if (!most.has(part)) most.set(part, largestSize(own ? shown.subarray(own.start, own.start + count(own.shape)) : shown));
        const shape = layer < 0 ? network.input : network.layers[layer].shape, area = kind === "value" && reach.get(layer);
        const reached = area && area.pixels.size * area.channels.size < count(shape) ? area : null;
        map.show(shown, most.get(part) ?? 0, (place) =>
          kind === picked.kind && layer === picked.layer && place === picked.place ? "picked"
            : isLinked(kind, layer, place) ? "linked" : reached && holds(reached, shape, place) ? "reached" : null);
      }
    },
  };
}
