// Convolution: on a line of numbers, on a matrix, on a photograph.

import { choice, flag, line, whole } from "../../core/fields.js";
import { say } from "../../core/texts.js";
import { matrixField, typedList } from "../../core/typed_fields.js";
import { codeField } from "../../parts/code_view.js";
import { roomViews } from "../../parts/room_views.js";
import { COUNTING, gridView, MOST_KERNEL, MOST_SIDE } from "./grid_view.js";
import { ARTICLE, lineView, MOST_SAMPLES, MOST_TAPS } from "./line_view.js";
import { MOST_SHIFT, photoView } from "./photo_view.js";

/** @typedef {import("../../core/room.js").Room} Room */

const VIEWS = /** @type {const} */ ({ line: lineView, grid: gridView, photo: photoView });
const NAMES = /** @type {(keyof typeof VIEWS)[]} */ (Object.keys(VIEWS));

/** @type {Room} */
export const convolution_room = {
  id: "convolution",
  fields: {
    view: choice("line", NAMES),
    operation: choice("convolution", ["convolution", "correlation"]),
    origin: choice("corner", ["corner", "center"]),
    code: codeField(),
    // On a line.
    signal: choice("own", ["own", "noisy"]),
    f: typedList(ARTICLE.f, MOST_SAMPLES),
    g: typedList(ARTICLE.g, MOST_TAPS),
    at: whole(0, 0, 999),
    both: flag(false),
    // On a matrix.
    matrix: matrixField(COUNTING, MOST_SIDE),
    kernel2: matrixField(COUNTING, MOST_KERNEL),
    row: whole(1, 0, MOST_SIDE - 1),
    column: whole(1, 0, MOST_SIDE - 1),
    // On a photograph.
    kernel: line("laplace", 40),
    size: whole(3, 1, 9),
    own: matrixField({ rows: 3, columns: 3, values: [0, -1, 0, -1, 5, -1, 0, -1, 0] }, 9),
    border: choice("reflect", ["reflect", "fill", "wrap"]),
    colour: flag(false),
    offset: flag(false),
    channel: whole(0, 0, 2),
    photoRow: whole(95, 0, 100_000),
    photoColumn: whole(223, 0, 100_000),
    down: whole(0, -MOST_SHIFT, MOST_SHIFT),
    across: whole(0, -MOST_SHIFT, MOST_SHIFT),
  },
  open: (place, lab) =>
    roomViews(place, lab, {
      views: VIEWS, label: say("convolution.view"), text: (name) => say(`convolution.views.${name}`),
    }),
};
