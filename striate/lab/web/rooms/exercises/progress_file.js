// Two buttons: progress saved as a file, and read from one.

import { html } from "../../core/dom.js";
import { say } from "../../core/texts.js";
import { fileButton, saveText } from "../../parts/text_file.js";

/**
 * @param {import("./progress.js").Progress} progress
 * @param {(text: string) => void} onRead - with a sentence on what was read.
 * @returns {HTMLElement}
 */
export function progressFile(progress, onRead) {
  const [button, file] = fileButton({
    label: say("exercises.read"), accept: ".json,application/json",
    onText: (name, text) => onRead(say(progress.read(text) ? "exercises.wasRead" : "exercises.notRead", { name })),
  });
  return html("div", { class: "card progress" },
    html("h2", { text: say("exercises.progress") }),
    html("p", { text: say("exercises.progressAbout") }),
    html("div", { class: "controls" },
      html("button", {
        type: "button", text: say("exercises.save"),
        onclick: () => saveText("striate-progress.json", "application/json", progress.text()),
      }),
      button),
    file);
}
