// The network is edited: a list of its layers, what does not fit, and files of it.

import { html, set } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { networkToml, readNetworkFile } from "../../maths/network/network_file.js";
import { edited } from "../../maths/network/network_plan.js";
import { MOST_LAYERS } from "../../maths/network/network_text.js";
import { fileButton, saveText } from "../../parts/text_file.js";
import { layerRow } from "./layer_row.js";
import { misfitNotes, misfitText } from "./misfit_view.js";

/** @typedef {import("../../maths/network/layer_options.js").Spec} Spec */
/** @typedef {ReturnType<typeof import("../../maths/network/network_plan.js").planned>} Plan */

/**
 * @param {object} options
 * @param {import("../../core/room.js").Lab} options.lab
 * @param {import("../../maths/network/network_plan.js").Task} options.task
 * @param {() => string} options.command - with which striate trains such a file as the page does.
 * @param {(specs: readonly Spec[] | null) => void} options.onEdit - null for the network that came along.
 */
export function networkEditor({ lab, task, command, onEdit }) {
  const list = html("ol", { class: "edit-layers" }), told = html("p", { role: "status" });
  const back = html("button", { type: "button", text: say("learning.edit.back"), onclick: () => onEdit(null) });
  const top = html("button", { type: "button", text: say("learning.edit.top"), onclick: () =>
    take(edited(now, { do: "insert", at: 0, layers: ["ReLU"] }), { at: 0, what: "kind" }) });
  const save = html("button", { type: "button", text: say("learning.edit.save"), onclick: () =>
    saveText("network.toml", "application/toml", networkToml(now, task.input, command())) });
  const open = fileButton({ label: say("learning.edit.open"), accept: ".toml,.json", onText: (name, text) => {
    const found = readNetworkFile(text, /\.json$/i.test(name), task);
    set(told, { text: "problem" in found ? `${name}: ${say(`learning.file.${found.problem}`, found.values)}` : say("learning.file.read", { name, n: found.specs.length }) });
    if ("specs" in found) onEdit(found.specs);
  } });
  const end = misfitNotes((edit) => {
    const next = edited(now, edit);
    take(next, { at: next.length - 1, what: "kind" });
  });
  const element = html("section", { class: "card editor" },
    html("h2", { text: say("learning.edit.heading") }), html("p", { class: "hint", text: say("learning.edit.hint") }),
    html("div", { class: "controls" }, back, save, ...open), told, top, list, end.element);
  /** @type {readonly Spec[]} */
  let now = [];
  /** @type {ReturnType<typeof layerRow>[]} */
  let rows = [];
  let kinds = "", wrong = "";
  /** @type {{at: number, what: string} | null} */
  let focus = null;

  /** @param {readonly Spec[]} specs @param {{at: number, what: string}} [next] */
  function take(specs, next) {
    now = specs; // at once: another edit may come before this is drawn
    focus = next ?? null;
    onEdit(specs);
  }

  return {
    element,
    /** @param {readonly Spec[]} specs @param {Plan} plan @param {boolean} isEdited */
    show(specs, plan, isEdited) {
      now = specs;
      back.disabled = !isEdited;
      save.disabled = plan.description === null; // striate would refuse the file
      top.disabled = specs.length >= MOST_LAYERS;
      const shown = specs.map(({ layer }) => layer).join();
      if (shown !== kinds) {
        kinds = shown;
        rows = specs.map(({ layer }, at) => layerRow({ at, layer, specs: () => now, onEdit: take }));
        list.replaceChildren(...rows.map((row) => row.element));
      }
      rows.forEach((row, at) => row.show(plan.layers[at], plan.layers, specs.length >= MOST_LAYERS));
      end.show(plan.end, specs, plan.layers);
      if (focus) rows[focus.at]?.focus(focus.what);
      focus = null;
      const misfits = [...plan.layers.flatMap((layer) => layer.misfits.map((one) => `${layer.name}: ${misfitText(one)}`)), ...plan.end.map(misfitText)];
      if (misfits.join() !== wrong) lab.announce(misfits.join(" ") || say("learning.edit.fits"));
      wrong = misfits.join();
    },
  };
}
