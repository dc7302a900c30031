// The rooms, in the order in which one goes through them.

import { convolution_room } from "../rooms/convolution/convolution_room.js";
import { size_room } from "../rooms/size/size_room.js";
import { dense_room } from "../rooms/dense/dense_room.js";
import { layer_room } from "../rooms/layer/layer_room.js";
import { learning_room } from "../rooms/learning/learning_room.js";
import { exercises_room } from "../rooms/exercises/exercises_room.js";

/** @typedef {import("./room.js").Room} Room */

/** @type {readonly Room[]} */
export const ROOMS = [
  convolution_room,
  size_room,
  dense_room,
  layer_room,
  learning_room,
  exercises_room,
];
