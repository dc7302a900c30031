// One layer of the network that is edited: its type, its options, its sizes, and where it stands.

import { html, set } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { LAYERS, specOf } from "../../maths/network/layer_options.js";
import { edited } from "../../maths/network/network_plan.js";
import { choiceControl } from "../../parts/controls.js";
import { typedControl } from "../../parts/typed_field.js";
import { misfitNotes } from "./misfit_view.js";

/** @typedef {import("../../maths/network/layer_options.js").Spec} Spec */
/** @typedef {import("../../maths/network/network_plan.js").PlannedLayer} PlannedLayer */

const KINDS = Object.keys(LAYERS).map((layer) => /** @type {const} */ ([layer, layer]));

/**
 * @param {object} options
 * @param {number} options.at - the layer's place.
 * @param {string} options.layer - its type.
 * @param {() => readonly Spec[]} options.specs - all layers as they are now.
 * @param {(specs: readonly Spec[], focus?: {at: number, what: string}) => void} options.onEdit - with what has
 *   the focus afterwards, where rows are made anew.
 */
export function layerRow({ at, layer, specs, onEdit }) {
  const name = html("h3"), size = html("p", { class: "sizes" });
  const notes = misfitNotes((edit) => {
    const next = edited(specs(), edit);
    onEdit(next, { at: Math.min(at, next.length - 1), what: "kind" });
  });
  const kind = choiceControl({ label: say("learning.edit.kind"), choices: KINDS, onChange: (other) => {
    const { layer: _, ...given } = specs()[at];
    const kept = Object.fromEntries(Object.entries(given).filter(([option, value]) => LAYERS[other][option]?.taken(value) !== null));
    onEdit(specs().map((spec, index) => (index === at ? specOf(other, kept) : spec)), { at, what: "kind" });
  } });
  const fields = Object.entries(LAYERS[layer]).map(([option, { read, write, words }]) => {
    const label = say(`learning.option.${option}`);
    const onChange = (/** @type {any} */ value) => onEdit(edited(specs(), { do: "set", at, option, value }));
    const control = words
      ? choiceControl({ label, choices: words.map((word) => [word, say(`learning.word.${word}`)]), onChange: (word) => onChange(read(word)) })
      : typedControl({ label, read, write, wrong: say(`learning.wrong.${option}`), onChange });
    return { option, element: control.element, show: (/** @type {any} */ value) => control.show(words ? write(value) : value) };
  });
  /** @param {string} what @param {string} sign @param {() => void} onclick */
  const button = (what, sign, onclick) => html("button", { type: "button", class: `edit-${what}`, text: sign, onclick });
  const last = () => specs().length - 1;
  const buttons = {
    up: button("up", "↑", () => onEdit(edited(specs(), { do: "move", at, to: at - 1 }), { at: at - 1, what: at > 1 ? "up" : "down" })),
    down: button("down", "↓", () => onEdit(edited(specs(), { do: "move", at, to: at + 1 }), { at: at + 1, what: at + 1 < last() ? "down" : "up" })),
    add: button("add", "+", () => onEdit(edited(specs(), { do: "insert", at: at + 1, layers: ["ReLU"] }), { at: at + 1, what: "kind" })),
    remove: button("remove", "✕", () => onEdit(edited(specs(), { do: "remove", at }), { at: Math.min(at, last() - 1), what: "remove" })),
  };
  const element = html("li", { class: "edit-layer" },
    html("div", { class: "edit-head" }, name, kind.element, size, html("div", { class: "buttons" }, ...Object.values(buttons))),
    html("div", { class: "controls", hidden: fields.length === 0 }, ...fields.map((field) => field.element)), notes.element);
  return {
    element,
    /** Gives the focus to a part of the row. @param {string} what */
    focus(what) {
      const wanted = what === "kind" ? kind.element.querySelector("select") : buttons[/** @type {keyof typeof buttons} */ (what)];
      wanted?.focus();
    },
    /** @param {PlannedLayer} planned @param {readonly PlannedLayer[]} layers @param {boolean} isFull */
    show(planned, layers, isFull) {
      const spec = specs()[at], { from, shape, weights } = planned;
      set(name, { text: planned.name });
      const told = say("learning.edit.sizes.from_to", { from: from?.join("×") ?? "?", shape: shape?.join("×") ?? "?" });
      set(size, { text: weights ? `${told} · ${say("learning.edit.sizes.weights", { n: weights, weights: written(weights, 0) })}` : told });
      kind.show(spec.layer);
      for (const field of fields) field.show(spec[field.option]);
      for (const [what, one] of Object.entries(buttons)) set(one, { "aria-label": say(`learning.edit.${what}`, { name: planned.name }) });
      buttons.up.disabled = at === 0;
      buttons.down.disabled = at === last();
      buttons.remove.disabled = last() === 0;
      buttons.add.disabled = isFull;
      notes.show(planned.misfits, specs(), layers);
    },
  };
}
