// The rooms, in the order in which one goes through them.

/** @typedef {import("./room.js").Room} Room */

/** @type {readonly Room[]} */
export const ROOMS = [];
