// Learning: a network trains while one watches, every number says where it comes from, and the network
// can be edited.

import { html, set } from "../../core/dom.js";
import { choice, flag, whole } from "../../core/fields.js";
import { say, written } from "../../core/texts.js";
import { isReadable } from "../../maths/network/layers/kinds.js";
import { specOf, specsOf } from "../../maths/network/layer_options.js";
import { planned } from "../../maths/network/network_plan.js";
import { networkText, readNetworkText } from "../../maths/network/network_text.js";
import { reachOf } from "../../maths/network/reach.js";
import { largest } from "../../maths/training/course.js";
import { moveOf } from "../../maths/training/next_move.js";
import { codeField, codeView } from "../../parts/code_view.js";
import { choiceControl, numberControl, switchControl } from "../../parts/controls.js";
import { questionsOf } from "../../parts/questions.js";
import { drawingCard } from "./drawing_card.js";
import { explanation } from "./explanation.js";
import { layerStepper } from "./layer_stepper.js";
import { networkEditor } from "./network_editor.js";
import { networkView } from "./network_view.js";
import { reachWords } from "./reach_words.js";
import { Session } from "./session.js";
import { ShownPass } from "./shown_pass.js";
import { codeOf } from "./sum_code.js";
import { ofImage, sumOf } from "./sums.js";
import { trainingCard } from "./training_card.js";

/** @typedef {import("../../core/room.js").Lab} Lab */
/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../maths/network/description.js").Description} Description */
/** @typedef {import("./network_view.js").Picked} Picked */
/** @typedef {import("../../maths/network/batch_pass.js").BatchPass} BatchPass */

const MOST_STEPS = 1_000_000;

/** What is picked, and how far the training is, when there is another network. @type {State} */
const ANEW = { step: 0, stage: 0, kind: "value", layer: 0, place: 0 };

/** Of what is not computed yet. */
const NOTHING = new Float64Array();

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
    // Of the step layer by layer: 1 has the images of the batch; 0 is off.
    stage: whole(0, 0, 999),
    edit: flag(false),
    code: codeField(),
    // The edited network; empty for the one that came along.
    network: { initial: "", read: (text) => (readNetworkText(text) ? text : null), write: (text) => text },
  },
  open,
};

/**
 * @param {HTMLElement} place
 * @param {Lab} lab
 * @returns {import("../../core/room.js").OpenRoom}
 */
function open(place, lab) {
  const { learning: data } = lab.data, { recipe } = data;
  const task = { ...data.network, classes: data.classes.length };
  const own = specsOf(data.network.layers) ?? [specOf("Flatten"), specOf("Dense", { units: task.classes })];
  const isOwn = specsOf(data.network.layers) !== null;
  const session = new Session(data, (step) => lab.change({ step }), () => lab.change({}));
  const passes = new ShownPass(session);

  const edit = switchControl({ label: say("learning.edit.heading"), onChange: (value) => lab.change({ edit: value }) });
  const editor = networkEditor({
    lab, task, isOwn, command: () => commandOf(data, lab.state().seed),
    onEdit: (specs) => {
      const network = specs && !(isOwn && networkText(specs) === networkText(own)) ? networkText(specs) : "";
      lab.change({ ...ANEW, network });
    },
  });
  const training = trainingCard({ lab, session, recipe, edit: edit.element });
  const drawing = drawingCard(data, session, () => lab.change({ step: 0, stage: 0 }));
  const stepper = layerStepper({
    onStage: (stage, at) => {
      session.pause();
      lab.change({ stage, ...at });
    },
    onUpdate: () => {
      const step = (session.course?.step ?? 0) + 1;
      lab.announce(say("learning.stage.updated", { step }));
      lab.change({ step, stage: 1, direction: "forward", kind: "value", layer: -1 });
    },
  });
  const image = numberControl({
    label: say("learning.image"), least: 0, most: session.test.labels.length - 1, onChange: (value) => lab.change({ image: value }),
  });
  const direction = choiceControl({
    label: say("learning.shown"),
    choices: [["forward", say("learning.forward")], ["backward", say("learning.backward")]],
    onChange: (value) => lab.change({ direction: value }),
  });
  const answer = html("p"), told = explanation(), code = codeView(lab), holder = html("div", { class: "card" });
  const numbers = html("div", {},
    html("div", { class: "card picked" }, stepper.element,
      html("div", { class: "controls" }, image.element, direction.element), answer, told.element),
    holder,
    html("section", { class: "card" }, html("h2", { text: say("questions.heading") }),
      ...questionsOf(lab, "learning.questions", {
        needed: { direction: "backward", kind: "value", layer: 2, place: 0 }, shared: { kind: "weight", layer: 3, place: 200 },
        dead: { direction: "forward", kind: "value", layer: 1, place: 0 }, winner: { direction: "backward", kind: "value", layer: 1, place: 0 },
        start: { step: 0, stage: 0, kind: "value", direction: "forward" },
      })),
    code.element);
  const unreadable = html("p", { class: "note", text: say("learning.unreadable") });
  place.append(training.controls, editor.element, html("div", { class: "columns" }, training.element, drawing.element), numbers, unreadable);

  /** @type {{network: Description, view: ReturnType<typeof networkView>} | null} */
  let shown = null;
  /** @type {{text: string, specs: import("../../maths/network/layer_options.js").Spec[], plan: ReturnType<typeof planned>} | null} */
  let plan = null;

  /** The layers as they are in the address. @param {string} text */
  function planOf(text) {
    if (plan?.text === text) return plan;
    const specs = (text && readNetworkText(text)) || own;
    return (plan = { text, specs, plan: planned(task, specs) });
  }

  /** @param {Description} network */
  function viewOf(network) {
    if (shown?.network === network) return shown.view;
    shown = { network, view: networkView(network, (picked) => lab.change({ ...picked })) };
    holder.replaceChildren(shown.view.element);
    return shown.view;
  }

  /** @param {Description} network @param {State} state */
  function showNumbers(network, state) {
    const { course } = session;
    if (!course) return;
    const stage = Math.min(state.stage, 2 * network.layers.length + 2); // of the last, all is computed
    const now = passes.at(network, { stage, image: state.image }), { pass } = now;
    stepper.show(now.isBatch ? stage : 0, now.isBatch ? pass : null, !course.isDone);
    const backward = state.direction === "backward", values = backward ? pass.gradients : pass.values;
    const picked = pickedOf(network, state);
    const found = sumOf(now, picked, backward), linked = linksOf(found.links, picked, backward);
    const reach = picked.kind === "value" ? reachOf(network, picked.layer, picked.place) : new Map();
    viewOf(network).show(
      (layer) => ofImage(values[layer + 1], now),
      (layer) => (!backward ? pass.state : pass.gradients[layer].length ? pass.weights : NOTHING),
      picked, (kind, at, there) => linked.has(`${kind} ${at} ${there}`), reach);
    set(answer, { text: answerOf(now.isBatch ? pass : null, ofImage(pass.probabilities, now), pass.labels[now.image], pass.loss) });
    told.show(found, reach.size ? reachWords(network, picked.layer, reach) : "");
    code.show(state.code, () => codeOf(found, picked, backward, network));
    if (picked.kind !== "weight" || session.isPlaying || course.isDone) return;
    const batch = now.isBatch ? pass : passes.batch(network, Infinity);
    if (!batch || !batch.gradients[picked.layer].length) return;
    const { rate } = course.next(), { optimizer } = recipe;
    told.showMove(moveOf(network, session.state, session.learner?.buffers ?? 0, picked.place,
      { gradient: batch.weights[picked.place], step: course.step + 1, rate }, optimizer), optimizer);
  }

  /** @param {BatchPass | null} batch @param {Float64Array} probabilities @param {number} label @param {number} loss */
  function answerOf(batch, probabilities, label, loss) {
    if (!probabilities.length) return say("learning.answer_not_yet", { truth: data.classes[label] });
    const best = largest(probabilities), own = batch ? -Math.log(probabilities[label]) : loss;
    return say("learning.answer", {
      name: data.classes[best], percent: written(100 * probabilities[best], 1), truth: data.classes[label], loss: written(own, 4),
    });
  }

  return {
    show(state) {
      const { specs, plan: made } = planOf(state.network), isEdited = state.network !== "";
      session.choose(state.network, isEdited ? made.description : null);
      session.seek(state.seed, state.step);
      edit.show(state.edit);
      editor.element.hidden = !state.edit;
      if (state.edit) editor.show(specs, made, isEdited);
      image.show(state.image);
      direction.show(state.direction);
      training.show(state, isEdited);
      const network = isEdited ? made.description : data.network, readable = network !== null && isReadable(network);
      numbers.hidden = !readable || !session.course;
      unreadable.hidden = readable || network === null;
      if (!session.course) return;
      drawing.show();
      if (readable) showNumbers(network, state);
    },
    close: () => session.close(),
  };
}

/** What is picked, where the network has it. @param {Description} network @param {State} state @returns {Picked} */
function pickedOf(network, { kind, layer: wanted, place }) {
  const layer = Math.min(wanted, network.layers.length - 1);
  const isWeight = kind === "weight" && layer >= 0 && Object.keys(network.layers[layer].weights).length > 0;
  const shape = layer < 0 ? network.input : network.layers[layer].shape;
  const most = isWeight ? network.size : shape.reduce((all, side) => all * side, 1);
  return { kind: isWeight ? "weight" : "value", layer, place: Math.min(place, most - 1) };
}

/**
 * Which numbers take part in a sum: "kind layer place".
 *
 * @param {readonly import("../../maths/network/terms.js").Link[]} links
 * @param {Picked} picked
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

/** The command that trains a file as the page does. @param {any} data @param {number} seed */
function commandOf({ name, recipe: { optimizer, rate, epochs, batch, peak } }, seed) {
  const source = /^[\w.-]+$/.test(name) ? name : "SOURCE";
  return `striate train ${source} --network network.toml --validation 0 --no-augment --optimizer ${optimizer.kind} --lr ${rate} `
    + `--weight-decay ${optimizer.weight_decay} --label-smoothing 0 --schedule one-cycle --warmup ${peak} `
    + `--epochs ${epochs} --batch-size ${batch} --seed ${seed}`;
}
