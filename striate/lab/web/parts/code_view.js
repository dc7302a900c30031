// One sum in five forms: the textbook loop, NumPy, and the nest, schedule and C that striate makes of it.
//
// A room has the field `code: codeField()` in its fields, and
//
//   const code = codeView({ data: lab.data.code, onChoose: (form) => lab.change({ code: form }) });
//   place.append(code.element);
//   code.show(state.code, () => ({ kind: "output", X, F, move }));   // for each state
//
// where the sum, see maths/code/python_text.js, has the numbers that the room shows: at most some 400,
// so of a photograph the part below the window. It is asked for while the code is seen only.

import { html, set } from "../core/dom.js";
import { choice } from "../core/fields.js";
import { say } from "../core/texts.js";
import { loopText, numpyText } from "../maths/code/python_text.js";

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
 * @param {object} options
 * @param {Record<string, any>} options.data - `lab.data.code`, see striate/lab/room_data/view_code.py.
 * @param {(form: CodeForm) => void} options.onChoose
 * @returns {{element: HTMLElement, show: (form: CodeForm, sum: () => CodeSum) => void}}
 */
export function codeView({ data, onChoose }) {
  /** @type {CodeForm} */
  let current = "none";
  const buttons = FORMS.map((form) =>
    html("button", { type: "button", text: say(`code.${form}`), onclick: () => onChoose(form === current ? "none" : form) }));
  const about = html("p", { class: "code-about" });
  const text = html("pre", { class: "code", tabindex: 0, role: "region", "aria-label": say("code.title") });
  const shown = html("div", { hidden: true }, about, text);
  const element = html("section", { class: "card code-view" },
    html("h2", { text: say("code.title") }),
    html("div", { class: "controls", role: "group", "aria-label": say("code.title") }, ...buttons), shown);

  /** @param {CodeForm} form @param {() => CodeSum} sum */
  function show(form, sum) {
    current = form;
    buttons.forEach((button, index) => set(button, { "aria-pressed": String(FORMS[index] === form) }));
    set(shown, { hidden: form === "none" });
    if (form === "none") return;
    const wanted = sum();
    const compiled = data[wanted.kind];
    const [words, code] =
      form === "loop" ? [say("code.aboutLoop"), loopText(wanted)]
      : form === "numpy" ? [say("code.aboutNumpy"), numpyText(wanted)]
      : compiled ? [say(`code.about.${form}`, { shape: compiled.shape }), compiled[form]]
      : [say("code.missing"), ""];
    set(about, { text: words });
    set(text, { text: code, hidden: code === "" });
  }
  return { element, show };
}
