// What does not fit in a network, in words with the numbers put in, and buttons that make it fit.

import { html } from "../../core/dom.js";
import { say, written } from "../../core/texts.js";
import { LAYERS } from "../../maths/network/layer_options.js";
import { LIMITS } from "../../maths/network/network_plan.js";
import { ruleValue, sizeRule } from "../../maths/window_size.js";

/** @typedef {import("../../maths/network/misfits.js").Misfit} Misfit */
/** @typedef {import("../../maths/network/misfits.js").Edit} Edit */
/** @typedef {import("../../maths/network/layer_options.js").Spec} Spec */

/** One sentence; that of the size rule is striate's own. @param {Misfit} misfit */
export function misfitText({ kind, values, sizes, axis }) {
  const where = axis ? say(`learning.along.${axis}`) : "";
  if (kind === "size") {
    const shown = Object.entries(LIMITS).flatMap(([name, bound]) => [[name, written(Number(values[name]), 0)], [`${name}_most`, written(bound, 0)]]);
    return say("learning.misfit.size", { name: values.name, ...Object.fromEntries(shown) });
  }
  if (!sizes || kind === "padding") return say(`learning.misfit.${kind}`, { ...values, where });
  const { input, filter, stride, before, after, dilation } = sizes, { reach } = sizeRule({ input, filter, stride, before, after, dilation });
  const rule = say("learning.misfit.rule", { input, reach, before, after, stride, value: ruleValue(sizes) });
  return say(`learning.misfit.${kind}`, { rule, where, n: values.rest });
}

/** What a cure does, as the text of its button. @param {Edit} edit @param {readonly Spec[]} specs @param {readonly {name: string}[]} layers */
export function cureText(edit, specs, layers) {
  if (edit.do === "set") {
    const value = LAYERS[specs[edit.at].layer][edit.option].write(edit.value);
    if (edit.option === "uncovered") return say("learning.cure.drop");
    return say("learning.cure.set", { option: say(`learning.option.${edit.option}`), value });
  }
  if (edit.do === "insert") return say("learning.cure.insert", { layers: edit.layers.join(" + ") });
  return edit.do === "move" ? say("learning.cure.move", { name: layers[edit.to].name }) : say("learning.cure.remove");
}

/**
 * All of a place's misfits.
 *
 * @param {(edit: Edit) => void} onCure
 */
export function misfitNotes(onCure) {
  const element = html("div");
  let shown = "[]";
  return {
    element,
    /** @param {readonly Misfit[]} misfits @param {readonly Spec[]} specs @param {readonly {name: string}[]} layers */
    show(misfits, specs, layers) {
      const key = JSON.stringify(misfits);
      if (key === shown) return; // a button keeps the focus
      shown = key;
      element.replaceChildren(...misfits.map((misfit) =>
        html("div", { class: "note misfit" },
          html("p", { text: misfitText(misfit) }),
          html("div", { class: "buttons", role: "group", "aria-label": say("learning.cure.label") },
            ...misfit.cures.map((edit) => html("button", { type: "button", text: cureText(edit, specs, layers), onclick: () => onCure(edit) }))))));
    },
  };
}
