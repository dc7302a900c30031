// The rooms, in the order in which one goes through them.

import { convolution_room } from "../rooms/convolution/convolution_room.js";
import { size_room } from "../rooms/size/size_room.js";

/** @typedef {import("./room.js").Room} Room */

/** @type {readonly Room[]} */
export const ROOMS = [
  convolution_room,
  size_room,
];
