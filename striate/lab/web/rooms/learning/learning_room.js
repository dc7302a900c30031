// Learning: a network trains while one watches, and every number says where it comes from.

import { html, set } from "../../core/dom.js";
import { choice, whole } from "../../core/fields.js";
import { say, written } from "../../core/texts.js";
import { isReadable } from "../../maths/network/description.js";
import { passOf, softmax } from "../../maths/network/readable_network.js";
import { gathered, largest } from "../../maths/training/course.js";
import { meanGradient, moveOf } from "../../maths/training/next_move.js";
import { choiceControl, numberControl } from "../../parts/controls.js";
import { drawingPad } from "./drawing_pad.js";
import { explanation, sumOf } from "./explanation.js";
import { lossCurve } from "./loss_curve.js";
import { networkView } from "./network_view.js";
import { Session } from "./session.js";

/** @typedef {import("../../core/room.js").Lab} Lab */
/** @typedef {import("../../core/fields.js").State} State */

const MOST_STEPS = 1_000_000;

/** @type {import("../../core/room.js").Room} */
export const learning_room = {
  id: "learning",
  fields: {
    seed: whole(0, 0, 999_999_999),
    step: whole(0, 0, MOST_STEPS),
    image: whole(0, 0, 99_999),
    direction: choice("forward", ["forward", "backward"]),
    kind: choice("value", ["value", "weight"]),
    layer: whole(0, -1, 999),
    place: whole(0, 0, 9_999_999),
  },
  open,
};

/**
 * @param {HTMLElement} place
 * @param {Lab} lab
 * @returns {import("../../core/room.js").OpenRoom}
 */
function open(place, lab) {
  const data = lab.data.learning, network = data.network, readable = isReadable(network);
  const session = new Session(data, (step) => lab.change({ step }), () => lab.change({}));
  const rule = data.recipe.optimizer, size = session.test.images.length / session.test.labels.length;
  let gradientStep = -1;
  /** @type {ArrayLike<number>} */
  let gradient = [];

  const play = html("button", { type: "button", class: "main", onclick: () => {
    if (session.isPlaying) session.pause();
    else session.play();
    lab.change({});
  } });
  const one = html("button", { type: "button", text: say("learning.one_step"), onclick: () => {
    session.pause();
    lab.change({ step: (session.course?.step ?? 0) + 1 });
  } });
  const again = html("button", { type: "button", text: say("learning.again"), onclick: () => {
    session.pause();
    session.begin(lab.state().seed);
    lab.change({ step: 0 });
  } });
  const seed = numberControl({ label: say("learning.seed"), least: 0, most: 999, onChange: (value) => lab.change({ seed: value, step: 0 }) });
  const image = numberControl({
    label: say("learning.image"), least: 0, most: session.test.labels.length - 1, onChange: (value) => lab.change({ image: value }),
  });
  const direction = choiceControl({
    label: say("learning.shown"),
    choices: [["forward", say("learning.forward")], ["backward", say("learning.backward")]],
    onChange: (value) => lab.change({ direction: value }),
  });
  const progress = html("p", { class: "progress-text" }), answer = html("p");
  const curve = lossCurve(), told = explanation();
  const view = networkView(network, (picked) => lab.change({ ...picked }));

  const drawnAnswer = html("p", { "aria-live": "polite", text: say("learning.draw") });
  const pad = drawingPad({ shape: network.input, white: data.white, onDraw: () => tellDrawn() });
  const label = choiceControl({
    label: say("learning.label"), choices: data.classes.map((/** @type {string} */ name, /** @type {number} */ i) => [String(i), name]),
    onChange: () => {},
  });
  const add = html("button", { type: "button", text: say("learning.add"), onclick: () => {
    session.add(pad.pixels(), Number(/** @type {HTMLSelectElement} */ (label.element.querySelector("select")).value));
    lab.change({ step: 0 });
  } });
  const clear = html("button", { type: "button", text: say("learning.clear"), onclick: () => pad.clear() });

  function tellDrawn() {
    if (!session.network) return;
    if (!pad.pixels().some((pixel) => pixel > 0)) {
      set(drawnAnswer, { text: `${say("learning.draw")} ${say("learning.added", { added: session.drawn.labels.length })}` });
      return;
    }
    const p = softmax(session.network.run(pad.pixels(), 1)), best = largest(p);
    set(drawnAnswer, { text: say("learning.drawn", { name: data.classes[best], percent: written(100 * p[best], 1), added: session.drawn.labels.length }) });
  }

  place.append(
    html("div", { class: "controls" }, play, one, again, seed.element),
    html("div", { class: "columns" },
      html("div", { class: "card" }, progress, curve.element, html("p", { class: "recipe", text: say("learning.recipe", data.recipe) })),
      html("div", { class: "card draw" }, pad.element,
        html("div", {}, drawnAnswer, html("div", { class: "controls" }, label.element, add, clear)))));
  if (readable)
    place.append(
      html("div", { class: "card picked" }, html("div", { class: "controls" }, image.element, direction.element), answer, told.element),
      html("div", { class: "card" }, view.element));
  else place.append(html("p", { class: "note", text: say("learning.unreadable") }));

  /** @param {State} state */
  function explain(state) {
    const course = session.course;
    if (!course) return;
    const at = Math.min(state.image, session.test.labels.length - 1), trueClass = session.test.labels[at];
    const weights = session.state.slice(0, network.size);
    const pass = passOf(network, weights, session.test.images.subarray(at * size, (at + 1) * size), trueClass);
    const layer = Math.min(state.layer, network.layers.length - 1);
    const backward = state.direction === "backward", values = backward ? pass.gradients : pass.values;
    const isWeight = state.kind === "weight" && layer >= 0 && Object.keys(network.layers[layer].weights).length > 0;
    const most = isWeight ? network.size : values[layer + 1].length;
    const picked = { kind: /** @type {"value" | "weight"} */ (isWeight ? "weight" : "value"), layer, place: Math.min(state.place, most - 1) };
    const found = sumOf(network, weights, pass, picked, backward, trueClass);
    const linked = linksOf(found.links, picked, backward);
    view.show(values, backward ? pass.weights : weights, picked, (kind, at, place) => linked.has(`${kind} ${at} ${place}`));
    const best = largest(pass.probabilities);
    set(answer, { text: say("learning.answer", {
      name: data.classes[best], percent: written(100 * pass.probabilities[best], 1), truth: data.classes[trueClass], loss: written(pass.loss, 4),
    }) });
    told.show(found);
    if (!isWeight || session.isPlaying || course.isDone || rule.kind !== "adamw") return;
    const { rows, rate } = course.next();
    if (gradientStep !== course.step) gradient = meanGradient(network, weights, gathered(course.training, rows));
    gradientStep = course.step;
    told.showMove(moveOf(network, session.state, data.code.buffers, picked.place,
      { gradient: gradient[picked.place], step: course.step + 1, rate }, rule), rule);
  }

  return {
    show(state) {
      session.seek(state.seed, state.step);
      seed.show(state.seed);
      image.show(state.image);
      direction.show(state.direction);
      set(play, { text: say(session.isPlaying ? "learning.pause" : "learning.play") });
      const course = session.course;
      play.disabled = one.disabled = !course;
      if (!course) return;
      if (course.step === 0) gradientStep = -1;
      set(progress, { text: say("learning.progress", {
        step: course.step, steps: course.steps, epoch: course.epochs.length, seconds: written(session.spent / 1000, 2),
      }) });
      curve.show(course);
      tellDrawn();
      if (readable) explain(state);
    },
    close: () => session.close(),
  };
}

/**
 * Which numbers take part in a sum: "kind layer place".
 *
 * @param {readonly import("../../maths/network/terms.js").Link[]} links
 * @param {import("./network_view.js").Picked} picked
 * @param {boolean} backward
 */
function linksOf(links, { kind, layer }, backward) {
  const found = new Set();
  const owner = kind === "weight" || !backward ? layer : layer + 1;
  for (const { input, output, weight } of links) {
    if (kind === "weight" || !backward) found.add(`value ${owner - 1} ${input}`);
    if (kind === "weight" || backward) found.add(`value ${owner} ${output}`);
    if (weight >= 0) found.add(`weight ${owner} ${weight}`);
  }
  return found;
}
