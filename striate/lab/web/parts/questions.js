// Questions to stop and think at; the answer opens, and the room shows what it speaks of.

import { html } from "../core/dom.js";
import { say } from "../core/texts.js";

/** @typedef {import("../core/room.js").Lab} Lab */
/** @typedef {import("../core/fields.js").State} State */

/**
 * Questions, closed at first.
 *
 * @param {Lab} lab
 * @param {string} texts - where their texts stand, as NAME.question and NAME.answer.
 * @param {Record<string, State | null>} shown - by name, in their order: the fields that show what the
 *   answer speaks of; null where the room shows it anyway.
 * @returns {HTMLElement[]}
 */
export function questionsOf(lab, texts, shown) {
  return Object.entries(shown).map(([name, fields]) =>
    html("details", { class: "think" },
      html("summary", { text: say(`${texts}.${name}.question`) }),
      html("p", { text: say(`${texts}.${name}.answer`) }),
      fields && html("button", { type: "button", text: say("questions.show"), onclick: () => {
        lab.change(fields);
        lab.announce(say("questions.shown"));
        window.scrollTo(0, 0);
      } })));
}
