// Views of a room, one of which is shown: buttons choose, and each is made when it is first shown.

import { html, set } from "../core/dom.js";

/** @typedef {import("../core/fields.js").State} State */
/** @typedef {import("../core/room.js").Lab} Lab */

/**
 * One view.
 *
 * @typedef {object} View
 * @property {HTMLElement} element
 * @property {(state: State) => void} show
 * @property {() => void} [pause] - another view is shown instead.
 * @property {() => void} [close] - the room is left.
 */

/**
 * The views; the room's field `view` names the one that is shown.
 *
 * @param {HTMLElement} place
 * @param {Lab} lab
 * @param {object} options
 * @param {Record<string, (lab: Lab) => View>} options.views - in the order of their buttons.
 * @param {string} options.label - what the buttons are for.
 * @param {(name: string) => string} options.text - of the button of a view.
 * @returns {import("../core/room.js").OpenRoom}
 */
export function roomViews(place, lab, { views, label, text }) {
  const names = Object.keys(views);
  const tabs = names.map((name) =>
    html("button", { type: "button", text: text(name), onclick: () => lab.change({ view: name }) }));
  place.append(html("div", { class: "buttons views", role: "group", "aria-label": label }, ...tabs));
  /** @type {Map<string, View>} */
  const made = new Map();
  return {
    show(state) {
      names.forEach((name, index) => set(tabs[index], { "aria-pressed": String(name === state.view) }));
      if (!made.has(state.view)) {
        const view = views[state.view](lab);
        made.set(state.view, view);
        place.append(view.element);
      }
      for (const [name, view] of made) {
        if (name !== state.view && !view.element.hidden) view.pause?.();
        view.element.hidden = name !== state.view;
      }
      made.get(state.view)?.show(state);
    },
    close() {
      for (const view of made.values()) view.close?.();
    },
  };
}
