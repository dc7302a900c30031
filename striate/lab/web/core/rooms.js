// The rooms, in the order in which one goes through them.

import { convolution_room } from "../rooms/convolution/convolution_room.js";
import { dense_room } from "../rooms/dense/dense_room.js";
import { exercises_room } from "../rooms/exercises/exercises_room.js";
import { layer_room } from "../rooms/layer/layer_room.js";

/** @typedef {import("./room.js").Room} Room */

/** @type {readonly Room[]} */
export const ROOMS = [
  convolution_room,
  dense_room,
  layer_room,
  exercises_room,
];
