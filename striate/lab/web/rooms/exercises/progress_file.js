// Two buttons: progress saved as a file, and read from one.

import { html } from "../../core/dom.js";
import { say } from "../../core/texts.js";

/**
 * @param {import("./progress.js").Progress} progress
 * @param {(text: string) => void} onRead - with a sentence on what was read.
 * @returns {HTMLElement}
 */
export function progressFile(progress, onRead) {
  const file = html("input", { type: "file", accept: ".json,application/json", hidden: true, "aria-label": say("exercises.read"), onchange: read });

  async function read() {
    const chosen = file.files?.[0];
    file.value = ""; // the same file may be chosen again
    if (!chosen) return;
    onRead(progress.read(await chosen.text())
      ? say("exercises.wasRead", { name: chosen.name })
      : say("exercises.notRead", { name: chosen.name }));
  }

  function save() {
    const address = URL.createObjectURL(new Blob([progress.text()], { type: "application/json" }));
    html("a", { href: address, download: "striate-progress.json" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

  return html("div", { class: "card progress" },
    html("h2", { text: say("exercises.progress") }),
    html("p", { text: say("exercises.progressAbout") }),
    html("div", { class: "controls" },
      html("button", { type: "button", text: say("exercises.save"), onclick: save }),
      html("button", { type: "button", text: say("exercises.read"), onclick: () => file.click() })),
    file);
}
