// What a room is. It is shown from its state, and changes it; the address follows.

/** @typedef {import("./fields.js").Fields} Fields */
/** @typedef {import("./fields.js").State} State */

/**
 * What a room may use of the page around it.
 *
 * @typedef {object} Lab
 * @property {any} data - what Python gave, see striate/lab/lab_data.py.
 * @property {(changes: State) => void} change - set some fields; the room is shown anew, once a frame.
 * @property {() => State} state - all fields as they are now.
 * @property {(room: string, state?: State) => string} link - an address in the page.
 * @property {(text: string) => void} announce - for those who cannot see what changed.
 */

/**
 * A room that is open.
 *
 * @typedef {object} OpenRoom
 * @property {(state: State) => void} show - bring all that is seen up to date; called for each frame
 *   in which the state changed, so only what differs should be touched.
 * @property {() => void} [close] - stop what runs: cameras, timers, workers.
 */

/**
 * A room; its title and its first sentence are the texts `ID.title` and `ID.lead`.
 *
 * @typedef {object} Room
 * @property {string} id - its name in addresses and texts.
 * @property {Fields} fields - its state.
 * @property {(place: HTMLElement, lab: Lab) => OpenRoom} open
 */

export {};
