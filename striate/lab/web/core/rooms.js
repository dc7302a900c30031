// The rooms, in the order in which one goes through them.

import { convolution_room } from "../rooms/convolution/convolution_room.js";
import { exercises_room } from "../rooms/exercises/exercises_room.js";
import { learning_room } from "../rooms/learning/learning_room.js";

/** @typedef {import("./room.js").Room} Room */

/** @type {readonly Room[]} */
export const ROOMS = [
  convolution_room,
  learning_room,
  exercises_room,
];
