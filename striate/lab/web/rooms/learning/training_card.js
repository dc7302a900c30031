// The training: buttons, how far it is, its curve, and which engine runs how fast.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { numberControl } from "../../parts/controls.js";
import { lossCurve } from "./loss_curve.js";

/**
 * @param {object} options
 * @param {import("../../core/room.js").Lab} options.lab
 * @param {import("./session.js").Session} options.session
 * @param {any} options.recipe - of the training.
 * @param {HTMLElement} options.edit - a further button.
 */
export function trainingCard({ lab, session, recipe, edit }) {
  const play = html("button", { type: "button", class: "main", onclick: () => {
    if (session.isPlaying) session.pause();
    else session.play();
    lab.change({ stage: 0 });
  } });
  const one = html("button", { type: "button", text: say("learning.one_step"), onclick: () => {
    session.pause();
    lab.change({ step: (session.course?.step ?? 0) + 1 });
  } });
  const again = html("button", { type: "button", text: say("learning.again"), onclick: () => {
    session.pause();
    session.begin(lab.state().seed);
    lab.change({ step: 0, stage: 0 });
  } });
  const seed = numberControl({ label: say("learning.seed"), least: 0, most: 999, onChange: (value) => lab.change({ seed: value, step: 0, stage: 0 }) });
  const progress = html("p", { class: "progress-text" }), engine = html("p", { class: "engine" });
  const curve = lossCurve();
  return {
    controls: html("div", { class: "controls" }, play, one, again, seed.element, edit),
    element: html("div", { class: "card" }, progress, curve.element, engine, html("p", { class: "recipe", text: say("learning.recipe", recipe) })),
    /** @param {import("../../core/fields.js").State} state @param {boolean} isEdited */
    show(state, isEdited) {
      const { course } = session;
      seed.show(state.seed);
      set(play, { text: say(session.isPlaying ? "learning.pause" : "learning.play") });
      play.disabled = one.disabled = again.disabled = !course;
      set(engine, { text: `${say(isEdited ? "learning.engine.readable" : "learning.engine.compiled")} ${
        session.speed ? say("learning.engine.speed", { speed: written(Math.round(session.speed), 0) }) : ""}` });
      if (!course) {
        set(progress, { text: isEdited ? say("learning.unfit") : "" });
        return;
      }
      set(progress, { text: say("learning.progress", {
        step: course.step, steps: course.steps, epoch: course.epochs.length, seconds: written(session.spent / 1000, 2),
      }) });
      curve.show(course);
    },
  };
}
