// Questions to stop and think at; the answer opens.

import { html } from "../core/dom.js";

/**
 * @param {string} question
 * @param {...(string | HTMLElement)} answer - paragraphs; a text becomes one.
 * @returns {HTMLElement}
 */
export function thinkFirst(question, ...answer) {
  return html("details", { class: "think" },
    html("summary", { text: question }),
    ...answer.map((part) => (typeof part === "string" ? html("p", { text: part }) : part)));
}
