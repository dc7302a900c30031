// Answers that are programs of some lines, run by the page's own small language.

import { html } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { letter } from "../../maths/exercises/exercise.js";
import { checkedProgram, programCases } from "../../maths/exercises/program_kind.js";
import { FUNCTIONS } from "../../maths/language/functions.js";
import { ProgramError } from "../../maths/language/program_error.js";
import { writtenValues, writtenVerdict } from "./answer.js";
import { givenMatrix } from "./given_matrices.js";

/** @typedef {import("../../maths/exercises/exercise.js").Exercise} Exercise */
/** @typedef {import("../../maths/exercises/program_kind.js").Case} Case */

const KINDS = /** @type {Record<string, string>} */ ({ X: "input", dX: "input", F: "filter", dF: "filter", O: "output", dO: "output" });

/**
 * @param {Exercise} exercise
 * @returns {import("./answer.js").Answer}
 */
export function programAnswer({ program }) {
  const task = /** @type {import("../../maths/exercises/program_kind.js").ProgramTask} */ (program);
  const area = html("textarea", {
    rows: 11, spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off", class: "code",
    "aria-label": say("exercises.program.label"), "aria-describedby": "exercise-verdict", onkeydown: indented,
  });
  const [first] = programCases(task);
  const names = Object.entries(first.given).map(([name, { rows, columns }]) =>
    say("exercises.program.given", { name: described(name), rows, columns }));
  const { rows, columns } = first.right;

  function check() {
    try {
      const verdict = checkedProgram(area.value, task);
      const text = writtenVerdict(verdict);
      return { right: verdict.right, text, more: verdict.wrongCase && tried(verdict.wrongCase, verdict.found) };
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      const { line, key, values } = error;
      select(area, line);
      return { right: false, text: `${say("exercises.program.line", { line })} ${say(`exercises.program.says.${key}`, writtenValues(values))}` };
    }
  }

  return {
    element: html("div", { class: "program-answer" },
      html("p", { text: `${say("exercises.program.start")} ${names.join("; ")}; ${say("exercises.program.result", { name: described(first.name), rows, columns })}; ${say("exercises.program.stride", { stride: task.stride })}` }),
      area,
      html("details", { class: "small-language" },
        html("summary", { text: say("exercises.program.about") }),
        html("p", { text: say("exercises.program.language") }),
        html("pre", { class: "code", text: EXAMPLE }),
        html("p", { text: say("exercises.program.functions", { names: Object.keys(FUNCTIONS).join(", ") }) }))),
    check,
    typed: () => [area.value],
    fill: ([text = ""]) => void (area.value = text),
  };
}

/** A name, and what it means where that is something else: "dF = ∂L/∂F". @param {string} name */
function described(name) {
  const means = letter(name);
  return means === name ? name : `${name} = ${means}`;
}

const EXAMPLE = `rows, columns = X.shape
for y in range(rows):
    for x in range(columns - 1):
        if X[y, x] > 0:
            Y[y, x] += X[y, x] * X[y, x + 1]
        else:
            Y[y, x] = 0
Z = sum(X[0:2, 0:2] * F)   # parts of arrays, as in NumPy`;

/**
 * The case that went wrong: what was given, and what came out.
 *
 * @param {Case} one
 * @param {import("../../maths/sum_terms.js").Matrix | undefined} found
 * @returns {HTMLElement}
 */
function tried({ given, name, right }, found) {
  const wrong = found ? found.values.map((value, i) => (Math.abs(value - right.values[i]) > 1e-9 ? i : -1)).filter((i) => i >= 0) : [];
  const frames = wrong.map((i) => ({ row: Math.floor(i / right.columns), column: i % right.columns, rows: 1, columns: 1, kind: "mark" }));
  return html("div", { class: "tried" },
    html("p", { text: say("exercises.program.tried") }),
    html("div", { class: "matrices" },
      ...Object.entries(given).map(([letter, matrix]) => givenMatrix({ ...matrix, name: letter, kind: KINDS[letter] })),
      found ? givenMatrix({ ...found, name, kind: KINDS[name] }, frames) : null));
}

/**
 * The Enter key begins a line below the one above it, a level deeper behind a colon.
 *
 * @param {KeyboardEvent} event
 */
function indented(event) {
  if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.metaKey || event.isComposing) return;
  const area = /** @type {HTMLTextAreaElement} */ (event.target);
  event.preventDefault();
  const line = area.value.slice(0, area.selectionStart).split("\n").at(-1) ?? "";
  const space = (/^\s*/.exec(line)?.[0] ?? "") + (/:\s*(#.*)?$/.test(line) ? "    " : "");
  area.setRangeText(`\n${space}`, area.selectionStart, area.selectionEnd, "end");
}

/** Selects a line. @param {HTMLTextAreaElement} area @param {number} line */
function select(area, line) {
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((all, one) => all + one.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
}
