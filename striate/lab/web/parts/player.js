// A step of something that moves: a slider, and a button that plays it.

import { html, set } from "../core/dom.js";
import { say } from "../core/texts.js";

/**
 * @param {object} options
 * @param {string} options.label
 * @param {number} [options.first] - the number at which steps are counted, to be read.
 * @param {number} [options.pause] - milliseconds from one step to the next.
 * @param {(step: number) => void} options.onStep
 * @returns {{element: HTMLElement, show: (step: number, last: number) => void, stop: () => void}}
 */
export function player({ label, first = 0, pause = 800, onStep }) {
  let timer = 0, now = 0, end = 0;
  const slider = html("input", { type: "range", min: 0, step: 1, "aria-label": label, oninput: () => {
    stop();
    onStep(slider.valueAsNumber);
  } });
  const value = html("output");
  const play = html("button", { type: "button", onclick: () => (timer ? stop() : start()) });

  function start() {
    onStep(now >= end ? 0 : now + 1);
    timer = setInterval(() => {
      if (now >= end) stop();
      else onStep(now + 1);
    }, pause);
    tell();
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    tell();
  }

  function tell() {
    play.textContent = say(timer ? "player.pause" : "player.play");
  }
  tell();
  return {
    element: html("div", { class: "player", role: "group", "aria-label": label },
      play, html("span", { "aria-hidden": "true", text: label }), slider, value),
    show(step, last) {
      now = step;
      end = last;
      set(slider, { max: last });
      slider.value = String(step);
      set(value, { text: step + first });
      set(slider, { "aria-valuetext": step + first });
    },
    stop,
  };
}
