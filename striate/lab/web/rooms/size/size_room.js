// The size of what a window gives: dragged, typed, written out, and why the formula holds.

import { html, set } from "../../core/dom.js";
import { flag, whole } from "../../core/fields.js";
import { say } from "../../core/texts.js";
import { aFrameLater, whenChanged } from "../../core/when_changed.js";
import { readings, sizeRule } from "../../maths/window_size.js";
import { codeField, codeView } from "../../parts/code_view.js";
import { choiceControl, numberControl, switchControl } from "../../parts/controls.js";
import { player } from "../../parts/player.js";
import { questionsOf } from "../../parts/questions.js";
import { linePictureSizes, MOST } from "./line_picture_sizes.js";
import { planePicture } from "./plane_picture.js";
import { sizeAnswer } from "./size_answer.js";
import { volumes } from "./volumes.js";

/** @typedef {import("../../core/fields.js").State} State */
/** @typedef {import("../../maths/window_size.js").WindowSizes} WindowSizes */

const LAST_STOP = 4;
const MOST_DEPTH = 512;
const PLAIN = { filter: 3, stride: 1, before: 0, after: 0, dilation: 1 };

/** What there is to look at first. @type {Record<string, State>} */
const EXAMPLES = {
  thirteen: { ...PLAIN, height: 13, input: 13, stride: 2 },
  impossible: { ...PLAIN, height: 10, input: 10, stride: 2 },
  shrinks: { ...PLAIN, height: 10, input: 5 },
  same: { ...PLAIN, height: 10, input: 5, before: 1, after: 1 },
  seven: { ...PLAIN, height: 7, input: 7 },
  seven2: { ...PLAIN, height: 7, input: 7, stride: 2 },
  dilated: { ...PLAIN, height: 9, input: 9, dilation: 2 },
  cifar: { filter: 5, stride: 1, before: 2, after: 2, dilation: 1, height: 32, input: 32, channels: 3, filters: 16 },
};

/** @type {import("../../core/room.js").Room} */
export const size_room = {
  id: "size",
  fields: {
    input: whole(13, 1, MOST.input),
    height: whole(13, 1, MOST.input),
    filter: whole(3, 1, MOST.filter),
    stride: whole(2, 1, MOST.stride),
    before: whole(0, 0, MOST.padding),
    after: whole(0, 0, MOST.padding),
    dilation: whole(1, 1, MOST.dilation),
    channels: whole(3, 1, MOST_DEPTH),
    filters: whole(2, 1, MOST_DEPTH),
    stop: whole(0, 0, LAST_STOP),
    row: whole(0, 0, 99),
    column: whole(0, 0, 99),
    heat: flag(true),
    code: codeField(),
  },
  open,
};

/**
 * @param {HTMLElement} place
 * @param {import("../../core/room.js").Lab} lab
 * @returns {import("../../core/room.js").OpenRoom}
 */
function open(place, lab) {
  /** @param {string} name @param {number} least @param {number} most @param {State} [also] */
  const number = (name, least, most, also) => numberControl({
    label: say(`size.controls.${name}`), least, most, onChange: (value) => lab.change({ [name]: value, ...also }),
  });
  const controls = {
    input: number("input", 1, MOST.input), filter: number("filter", 1, MOST.filter), stride: number("stride", 1, MOST.stride),
    before: number("before", 0, MOST.padding), after: number("after", 0, MOST.padding), dilation: number("dilation", 1, MOST.dilation),
  };
  const plane = { height: number("height", 1, MOST.input), channels: number("channels", 1, MOST_DEPTH), filters: number("filters", 1, MOST_DEPTH) };
  const example = choiceControl({
    label: say("size.example"),
    choices: [["", "…"], ...Object.keys(EXAMPLES).map((name) => /** @type {[string, string]} */ ([name, say(`size.examples.${name}`)]))],
    onChange: (name) => name && lab.change(EXAMPLES[name]),
  });
  const picture = linePictureSizes(lab), answer = sizeAnswer(lab), image = planePicture(lab), boxes = volumes();
  const stops = player({ label: say("size.why.step"), pause: 2500, onStep: (stop) => lab.change({ stop }) });
  const reason = html("p", { class: "meaning", role: "status" });
  const heat = switchControl({ label: say("size.plane.heat"), onChange: (value) => lab.change({ heat: value }) });
  const code = codeView(lab);
  const planeTold = html("p", { class: "meaning" });
  place.append(
    html("div", { class: "controls" }, example.element, ...Object.values(controls).map(({ element }) => element)),
    html("section", { class: "card" }, html("h2", { text: say("size.heading") }),
      html("p", { class: "hint", text: say("size.hint") }), picture.element),
    html("div", { class: "columns" },
      html("section", { class: "card" }, html("h2", { text: say("size.formula") }), answer.element),
      html("div", {}, html("section", { class: "card" }, html("h2", { text: say("size.why.heading") }), stops.element, reason),
        letters())),
    html("section", { class: "card" }, html("h2", { text: say("size.plane.heading") }),
      html("div", { class: "controls" }, plane.height.element, heat.element), image.element, planeTold),
    html("div", { class: "columns" },
      html("section", { class: "card" }, html("h2", { text: say("size.volume.heading") }),
        html("div", { class: "controls" }, plane.channels.element, plane.filters.element), boxes.element),
      html("section", { class: "card" }, html("h2", { text: say("size.think") }),
        ...questionsOf(lab, "size.questions", {
          impossible: EXAMPLES.impossible, border: { ...EXAMPLES.seven, heat: true }, deep: EXAMPLES.shrinks, stride: EXAMPLES.seven2,
          same: EXAMPLES.same, depth: null, moving: { ...EXAMPLES.thirteen, stop: 3 },
        }))),
    code.element);
  const show = {
    picture: whenChanged(picture.show), answer: whenChanged(answer.show), boxes: whenChanged(boxes.show),
    image: aFrameLater(image.show),
  };
  return {
    show(state) {
      /** @type {WindowSizes} */
      const across = { input: state.input, filter: state.filter, stride: state.stride, before: state.before, after: state.after, dilation: state.dilation };
      const down = { ...across, input: state.height };
      for (const [name, control] of Object.entries({ ...controls, ...plane })) control.show(state[name]);
      example.show(Object.keys(EXAMPLES).find((name) => Object.entries(EXAMPLES[name]).every(([field, value]) => state[field] === value)) ?? "");
      show.picture(across, state.stop);
      show.answer(across);
      code.show(state.code, () => ({ kind: "windows", ...across }));
      stops.show(state.stop, LAST_STOP);
      const rule = sizeRule(across);
      const { reach, room, positions, rest } = rule;
      set(reason, { text: room < 0 ? say("size.answer.larger", { n: 0, reach, padded: reach + room }) : say(`size.why.stops.${state.stop}`, {
        reach, room, stride: across.stride, steps: positions - 1, positions, half: (reach - 1) / 2,
        input: across.input, padding: across.before + across.after, rest,
      }) });
      show.image(down, across, { row: state.row, column: state.column }, state.heat);
      heat.show(state.heat);
      const counts = [readings(down), readings(across)];
      const most = Math.max(...counts[0]) * Math.max(...counts[1]);
      const unread = down.input * across.input - counts[0].filter(Boolean).length * counts[1].filter(Boolean).length;
      set(planeTold, { text: say("size.plane.told", { corner: counts[0][0] * counts[1][0], most, n: unread }) });
      const rows = sizeRule(down).positions, columns = rule.positions;
      show.boxes({
        height: state.height, width: state.input, channels: state.channels, filter: state.filter, filters: state.filters,
        rows: rows && columns ? rows : 0, columns: rows && columns ? columns : 0,
      });
    },
    close: stops.stop,
  };
}

function letters() {
  return html("section", { class: "card" }, html("h2", { text: say("size.letters.heading") }),
    html("table", { class: "letters" },
      html("thead", {}, html("tr", {}, html("th", { scope: "col", text: say("size.letters.letter") }), html("th", { scope: "col", text: say("size.letters.meaning") }))),
      html("tbody", {}, ...["I", "R", "F", "S", "P", "d", "D", "O"].map((letter) =>
        html("tr", {}, html("th", { scope: "row", text: say(`size.letters.names.${letter}`) }), html("td", { text: say(`size.letters.texts.${letter}`) }))))));
}
