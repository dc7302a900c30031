// What a value sees and moves, in words.

import { say } from "../../core/texts.js";
import { asImage, count } from "../../maths/network/description.js";

/** @typedef {import("../../maths/network/description.js").Description} Description */
/** @typedef {import("../../maths/network/reach.js").Area} Area */

/** How many values an area has. @param {Area} area */
const sizeOf = ({ pixels, channels }) => pixels.size * channels.size;

/**
 * @param {Description} network
 * @param {number} layer - of the value.
 * @param {Map<number, Area>} reach
 * @returns {string}
 */
export function reachWords(network, layer, reach) {
  const sentences = [], image = reach.get(-1);
  if (layer >= 0 && image) sentences.push(seenWords(asImage(network.input), image.pixels));
  const moved = network.layers.flatMap(({ name, type, shape }, at) => {
    const area = at > layer && type !== "Flatten" && reach.get(at);
    return area ? [say("learning.reach.of", { name, n: sizeOf(area), all: count(shape) })] : [];
  });
  if (moved.length) sentences.push(say("learning.reach.moves", { list: moved.join(", ") }));
  return sentences.join(" ");
}

/** @param {readonly number[]} shape @param {Set<number>} pixels */
function seenWords([rows, columns], pixels) {
  if (pixels.size === rows * columns) return say("learning.reach.sees_all");
  if (!pixels.size) return say("learning.reach.sees_none");
  const down = [...pixels].map((pixel) => Math.floor(pixel / columns) + 1), across = [...pixels].map((pixel) => (pixel % columns) + 1);
  return say("learning.reach.sees", {
    n: pixels.size, all: rows * columns, top: Math.min(...down), bottom: Math.max(...down), left: Math.min(...across), right: Math.max(...across),
  });
}
