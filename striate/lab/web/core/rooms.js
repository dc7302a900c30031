// The rooms, in the order in which one goes through them.

import { exercises_room } from "../rooms/exercises/exercises_room.js";

/** @typedef {import("./room.js").Room} Room */

/** @type {readonly Room[]} */
export const ROOMS = [exercises_room];
