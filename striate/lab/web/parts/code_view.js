// One sum in five forms: the textbook loop, NumPy, and the nest, schedule and C that striate makes of it.
//
// A room has the field `code: codeField()` in its fields, and
//
//   const code = codeView(lab);
//   place.append(code.element);
//   code.show(state.code, () => ({ kind: "output", X, F, move }));   // for each state
//
// where the sum, see maths/code/python_text.js, has the numbers that the room shows: at most some 400,
// so of a photograph the part below the window; null where what is shown is no sum. It is asked for while
// the code is seen only.

import { html, set } from "../core/dom.js";
import { choice } from "../core/fields.js";
import { say } from "../core/texts.js";
import { loopText, nestOf, numpyText } from "../maths/code/python_text.js";

/** @typedef {import("../maths/code/python_text.js").CodeSum} CodeSum */
/** @typedef {"none" | "loop" | "numpy" | "nest" | "schedule" | "c"} CodeForm */

/** @type {readonly CodeForm[]} */
const FORMS = ["loop", "numpy", "nest", "schedule", "c"];

/**
 * The field of a room for the form in which its code is shown; at first none.
 *
 * @returns {import("../core/fields.js").Field<CodeForm>}
 */
export function codeField() {
  return choice("none", ["none", ...FORMS]);
}

/**
 * @param {import("../core/room.js").Lab} lab - of whose data `code` is used, see striate/lab/room_data/view_code.py.
 * @returns {{element: HTMLElement, show: (form: CodeForm, sum: () => CodeSum | null) => void}}
 */
export function codeView(lab) {
  /** @type {CodeForm} */
  let current = "none";
  const buttons = FORMS.map((form) =>
    html("button", { type: "button", text: say(`code.${form}`), onclick: () => lab.change({ code: form === current ? "none" : form }) }));
  const about = html("p", { class: "code-about" });
  const text = html("pre", { class: "code", tabindex: 0, role: "region", "aria-label": say("code.title") });
  const shown = html("div", { hidden: true }, about, text);
  const element = html("section", { class: "card code-view" },
    html("h2", { text: say("code.title") }),
    html("div", { class: "controls", role: "group", "aria-label": say("code.title") }, ...buttons), shown);

  /** @param {CodeForm} form @param {() => CodeSum | null} sum */
  function show(form, sum) {
    current = form;
    buttons.forEach((button, index) => set(button, { "aria-pressed": String(FORMS[index] === form) }));
    set(shown, { hidden: form === "none" });
    if (form === "none") return;
    const wanted = sum();
    const [words, code] = wanted ? written(wanted, form) : [say("code.noSum"), ""];
    set(about, { text: words });
    set(text, { text: code, hidden: code === "" });
  }

  /** @param {CodeSum} wanted @param {CodeForm} form @returns {[string, string]} what is said of it, and the code. */
  function written(wanted, form) {
    if (form === "loop") return [say("code.aboutLoop"), loopText(wanted)];
    if (form === "numpy") return [say("code.aboutNumpy"), numpyText(wanted)];
    const nest = nestOf(wanted);
    if (!nest) return [say(`code.noNest.${wanted.kind}`), ""];
    const compiled = lab.data.code[nest];
    return compiled ? [say(`code.about.${form}`, { shape: compiled.shape }), compiled[form]] : [say("code.missing"), ""];
  }
  return { element, show };
}
