// All exercises as links, with what is solved.

import { html, set } from "../../core/dom.js";
import { say } from "../../core/texts.js";

/** @typedef {import("./progress.js").Progress} Progress */
/** @typedef {{title: string, about: string, exercises: any[]}} ExerciseSet */

/**
 * The title of an exercise: its own, or that of its kind.
 *
 * @param {{kind: string, title: string | null}} options
 * @returns {string}
 */
export function titleOf({ kind, title }) {
  return title ?? say(`exercises.kinds.${kind}`);
}

/**
 * @param {readonly ExerciseSet[]} sets
 * @param {(set: number, number: number) => string} link
 * @param {Progress} progress
 * @returns {{element: HTMLElement, show: (set: number, number: number) => void}}
 */
export function exerciseList(sets, link, progress) {
  const parts = sets.map((one, index) => {
    const links = one.exercises.map((exercise, number) => {
      const mark = html("span", { class: "mark", "aria-hidden": "true" });
      const spoken = html("span", { class: "visually-hidden" });
      return { mark, spoken, element: html("a", { href: link(index, number) }, mark, titleOf(exercise), spoken) };
    });
    const count = html("span", { class: "count" });
    const element = html("details", {},
      html("summary", {}, html("span", { class: "set-title", text: one.title }), count),
      one.about ? html("p", { text: one.about }) : null,
      html("ol", {}, ...links.map(({ element: item }) => html("li", {}, item))));
    return { title: one.title, links, count, element };
  });
  return {
    element: html("nav", { class: "card exercise-list", "aria-label": say("exercises.list") }, ...parts.map(({ element }) => element)),
    show(current, exercise) {
      parts.forEach(({ title, links, count, element }, index) => {
        if (index === current) element.open = true;
        const solved = links.map((_, number) => progress.isSolved(title, number + 1));
        set(count, { text: say("exercises.count", { solved: solved.filter(Boolean).length, all: links.length }) });
        links.forEach(({ element: item, mark, spoken }, number) => {
          set(item, { "aria-current": index === current && number === exercise && "page" });
          set(mark, { text: solved[number] ? "✓" : "" });
          set(spoken, { text: solved[number] ? ` (${say("exercises.solved")})` : "" });
        });
      });
    },
  };
}
