// What `reachOf` finds, as lists of places by layer.
import { asImage, count } from "../../striate/lab/web/maths/network/description.js";
import { holds, reachOf } from "../../striate/lab/web/maths/network/reach.js";

/** @param {any} network @param {number} layer @param {number} place */
export function places(network, layer, place) {
  const shapeOf = (/** @type {number} */ at) => (at < 0 ? network.input : network.layers[at].shape);
  return Object.fromEntries([...reachOf(network, layer, place)].map(([at, area]) => [at,
    Array.from({ length: count(asImage(shapeOf(at))) }, (_, one) => one).filter((one) => holds(area, shapeOf(at), one))]));
}
