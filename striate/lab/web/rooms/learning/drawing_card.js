// A drawing of one's own: what the network sees in it, and how it becomes a training image.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { softmax } from "../../maths/network/softmax.js";
import { largest } from "../../maths/training/course.js";
import { choiceControl } from "../../parts/controls.js";
import { drawingPad } from "./drawing_pad.js";

/**
 * @param {any} data - of the room.
 * @param {import("./session.js").Session} session
 * @param {() => void} onAdd
 */
export function drawingCard(data, session, onAdd) {
  const answer = html("p", { "aria-live": "polite", text: say("learning.draw") });
  const pad = drawingPad({ shape: data.network.input, white: data.white, onDraw: () => show() });
  const label = choiceControl({
    label: say("learning.label"), choices: data.classes.map((/** @type {string} */ name, /** @type {number} */ i) => [String(i), name]),
    onChange: () => {},
  });
  const add = html("button", { type: "button", text: say("learning.add"), onclick: () => {
    session.add(pad.pixels(), Number(/** @type {HTMLSelectElement} */ (label.element.querySelector("select")).value));
    onAdd();
  } });
  const clear = html("button", { type: "button", text: say("learning.clear"), onclick: () => pad.clear() });

  function show() {
    const added = session.drawn.labels.length, pixels = pad.pixels();
    if (!session.learner || !pixels.some((pixel) => pixel > 0)) {
      set(answer, { text: `${say("learning.draw")} ${say("learning.added", { added })}` });
      return;
    }
    const p = softmax(session.learner.run(pixels, 1)), best = largest(p);
    set(answer, { text: say("learning.drawn", { name: data.classes[best], percent: written(100 * p[best], 1), added }) });
  }
  return {
    element: html("div", { class: "card draw" }, pad.element,
      html("div", {}, answer, html("div", { class: "controls" }, label.element, add, clear))),
    show,
  };
}
