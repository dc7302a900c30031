// Addresses: #room?field=value&field=value, so that a link or a bookmark is a view.

import { writeState } from "./fields.js";

/** @typedef {import("./room.js").Room} Room */
/** @typedef {import("./fields.js").State} State */

/**
 * The room that an address names, and what it tells of its state.
 *
 * @param {string} hash - with its "#".
 * @returns {{id: string, told: URLSearchParams}}
 */
export function parsed(hash) {
  const [id, query = ""] = hash.replace(/^#/, "").split("?", 2);
  return { id, told: new URLSearchParams(query) };
}

/**
 * The address of a room with some fields as given and all others as at first.
 *
 * @param {Room | null} room - null for the start.
 * @param {State} state
 * @returns {string}
 */
export function address(room, state) {
  if (!room) return "#";
  const first = Object.fromEntries(Object.entries(room.fields).map(([name, field]) => [name, field.initial]));
  const query = writeState(room.fields, { ...first, ...state }).toString();
  return `#${room.id}${query && `?${query}`}`;
}
