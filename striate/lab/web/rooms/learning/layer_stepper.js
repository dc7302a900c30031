// One step of training, layer by layer: the batch, each layer forward, the loss, each backward, the update.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { count } from "../../maths/network/description.js";

/** @typedef {import("../../maths/network/batch_pass.js").BatchPass} BatchPass */
/** @typedef {import("../../core/fields.js").State} State */

/**
 * @param {object} options
 * @param {(stage: number, at: State) => void} options.onStage - 0 leaves; with what should be looked at.
 * @param {() => void} options.onUpdate - the weights are to be moved.
 */
export function layerStepper({ onStage, onUpdate }) {
  const enter = html("button", { type: "button", text: say("learning.stage.enter"), onclick: () => go(1) });
  const back = html("button", { type: "button", text: say("learning.stage.back"), onclick: () => go(now - 1) });
  const next = html("button", { type: "button", class: "main", onclick: () => (pass && now > pass.stages ? onUpdate() : go(now + 1)) });
  const leave = html("button", { type: "button", text: say("learning.stage.leave"), onclick: () => onStage(0, {}) });
  const told = html("p", { role: "status" });
  const inside = html("div", { class: "buttons" }, next, back, leave);
  let now = 0;
  /** @type {BatchPass | null} */
  let pass = null;

  /** Goes to a stage, and to the numbers that it computes. @param {number} stage */
  function go(stage) {
    const { layer, backward } = pass && stage > 1 ? pass.stageAt(stage - 2) : { layer: -1, backward: false };
    const last = pass ? pass.network.layers.length - 1 : 0;
    now = stage; // at once: another press may come before this is drawn
    onStage(stage, {
      direction: backward ? "backward" : "forward", kind: "value", layer: backward ? (layer < 0 ? last : layer - 1) : layer,
    });
  }

  /** @param {BatchPass} batch @param {number} stage */
  function tell(batch, stage) {
    const { network, images } = batch, { layer, backward } = batch.stageAt(stage - 2), own = network.layers[layer];
    if (stage === 1) return say("learning.stage.images", { images, shape: network.input.join("×") });
    if (layer < 0) return say("learning.stage.loss", { images, loss: written(batch.loss, 5) });
    const from = (layer ? network.layers[layer - 1].shape : network.input).join("×"), shape = own.shape.join("×");
    const n = Object.values(own.weights).reduce((sum, one) => sum + count(one.shape), 0);
    if (!backward) return say("learning.stage.forward", { name: own.name, images, from, shape });
    return `${say("learning.stage.backward", { name: own.name, from, shape })} ${n ? say("learning.stage.weights", { n }) : ""}`;
  }

  const element = html("div", { class: "stepper", role: "group", "aria-label": say("learning.stage.enter") }, enter, inside, told);
  return {
    element,
    /**
     * @param {number} stage - of the room: 0 where it is not used.
     * @param {BatchPass | null} batch - so far as it is computed; null where none comes.
     * @param {boolean} canEnter
     */
    show(stage, batch, canEnter) {
      const isIn = stage > 0 && batch !== null, focused = document.activeElement;
      pass = batch;
      now = stage;
      enter.hidden = isIn;
      enter.disabled = !canEnter;
      inside.hidden = told.hidden = !isIn;
      // What is hidden cannot keep the focus.
      if (isIn ? focused === enter : inside.contains(focused)) (isIn ? next : enter).focus();
      if (!isIn) return;
      back.disabled = stage <= 1;
      const isReady = batch.done >= stage - 1, isWhole = stage > batch.stages;
      const { layer, backward } = isWhole ? { layer: 0, backward: false } : batch.stageAt(stage - 1);
      set(next, { text: isWhole ? say("learning.stage.next_update")
        : layer < 0 ? say("learning.stage.next_loss")
          : say(backward ? "learning.stage.next_backward" : "learning.stage.next_forward", { name: batch.network.layers[layer].name }) });
      if (isReady) set(told, { text: `${say("learning.stage.at", { stage, stages: batch.stages + 1 })} ${tell(batch, stage)}` });
    },
  };
}
