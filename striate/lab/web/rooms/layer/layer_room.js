// A convolutional layer: its sums over channels, what stacked layers see, pooling, and a moved stroke.

import { choice, numbers, whole } from "../../core/fields.js";
import { say } from "../../core/texts.js";
import { matrixField } from "../../core/typed_fields.js";
import { readMatrix } from "../../maths/typed_numbers.js";
import { codeField } from "../../parts/code_view.js";
import { roomViews } from "../../parts/room_views.js";
import { MOST_POOLED, poolView } from "./pool_view.js";
import { stackView, MOST_INPUTS, MOST_LAYERS } from "./stack_view.js";
import { MOST_MOVE, strokeView } from "./stroke_view.js";
import { MOST_CHANNELS, MOST_ROWS, sumView } from "./sum_view.js";

/** @typedef {import("../../core/room.js").Room} Room */

const VIEWS = /** @type {const} */ ({ sum: sumView, stack: stackView, pool: poolView, stroke: strokeView });
const NAMES = /** @type {(keyof typeof VIEWS)[]} */ (Object.keys(VIEWS));
const POOLED = /** @type {import("../../maths/typed_numbers.js").Matrix} */ (readMatrix("1 3 2 1; 4 6 5 0; 3 1 2 9; 0 2 7 8"));

/** @type {Room} */
export const layer_room = {
  id: "layer",
  fields: {
    view: choice("sum", NAMES),
    code: codeField(),
    // Sums over channels.
    rows: whole(5, 1, MOST_ROWS),
    columns: whole(5, 1, MOST_ROWS),
    channels: whole(3, 1, MOST_CHANNELS),
    filters: whole(2, 1, MOST_CHANNELS),
    size: whole(3, 1, 5),
    stride: whole(2, 1, 4),
    padding: whole(1, 0, 2),
    seed: whole(1, 1, 999_999),
    input: numbers([], 0, MOST_ROWS * MOST_ROWS * MOST_CHANNELS),
    weights: numbers([], 0, 25 * MOST_CHANNELS * MOST_CHANNELS),
    biases: numbers([1, 0], 0, MOST_CHANNELS),
    row: whole(0, 0, 99),
    column: whole(0, 0, 99),
    filter: whole(0, 0, MOST_CHANNELS - 1),
    // Stacked layers.
    inputs: whole(5, 1, MOST_INPUTS),
    stack: numbers([3, 1, 3, 1], 2, 2 * MOST_LAYERS),
    ends: choice("same", ["none", "same"]),
    level: whole(2, 0, MOST_LAYERS),
    unit: whole(2, 0, MOST_INPUTS - 1),
    connections: choice("convolution", ["convolution", "dense"]),
    // Pooling.
    pooled: matrixField(POOLED, MOST_POOLED),
    window: whole(2, 1, MOST_POOLED),
    step: whole(2, 1, MOST_POOLED),
    kind: choice("max", ["max", "average", "sum"]),
    place: whole(0, 0, MOST_POOLED * MOST_POOLED - 1),
    // The stroke.
    level2: whole(0, 0, 100),
    pool: choice("4", ["1", "2", "4", "7"]),
    down: whole(0, -MOST_MOVE, MOST_MOVE),
    across: whole(0, -MOST_MOVE, MOST_MOVE),
  },
  open: (place, lab) =>
    roomViews(place, lab, {
      views: VIEWS, label: say("layer.view"), text: (name) => say(`layer.views.${name}`),
    }),
};
